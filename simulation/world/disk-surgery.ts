/** Whole disks of a world that are replaced: wiped, put back to an earlier state, copied. */
import { keyBytes } from '../../src/storage/key-text.ts';
import type { Fault } from '../faults/plan.ts';
import type { DiskSurgery } from '../faults/strikes.ts';
import type { Snapshot } from '../kernel/disk.ts';
import { createSubject } from './create-subject.ts';
import type { World } from './create-world.ts';
import { withoutBudget } from './sim-agent.ts';

export type SnapshottingSurgery = DiskSurgery & {
  /** Keeps the present state of all disks, to put them back to. */
  readonly keep: () => void;
};

export function createDiskSurgery(world: World): SnapshottingSurgery {
  const { subjects, agents, hqDisk, hqTruth } = world;
  const backups: Snapshot[] = [hqDisk.snapshot()];
  const images = agents.map((agent) => [agent.disk.snapshot()]);
  const replaceDisk = (index: number, content: Snapshot | undefined) => {
    const subject = subjects[index];
    if (content === undefined || subject === undefined) return;
    subject.agent.disk.restore(content);
    subject.truth.replaced(subject.agent.disk.records());
  };
  return {
    keep: () => {
      backups.push(hqDisk.snapshot());
      agents.forEach((agent, index) => void images[index]?.push(agent.disk.snapshot()));
    },
    replaceDisk,
    rollBack: (index, age) => replaceDisk(index, byAge(images[index] ?? [], age)),
    clone: (index, fault) => {
      const original = subjects[index];
      if (original === undefined) return () => {};
      const { id, disk } = original.agent;
      const settings = withoutBudget(original.agent.settings);
      const name = `${id}-copy-${fault.index}`;
      const copied = { of: original, image: disk.snapshot() };
      const copy = createSubject(world, { id, name, settings, chance: world.chance.stream(name), copied });
      subjects.push(copy);
      world.copies.push(copy.agent);
      copy.agent.start();
      return () => {
        copy.agent.kill(false);
        copy.agent.rename(name);
        copy.agent.start();
      };
    },
    restoreHq: (age) => {
      const backup = byAge(backups, age);
      if (backup === undefined) return;
      hqDisk.restore(backup);
      hqTruth.replaced(hqDisk.records());
    },
    damageHq: (fault) => {
      hqDisk.lose(pagesOf(hqDisk.records(), fault).map(keyBytes));
      hqTruth.replaced(hqDisk.records());
    },
  };
}

/** Most of the records that damage takes. */
const MOST_LOST = 0.35;

/**
 * Records that lie together. Not how far frames are filed: whoever looks at the disk alone takes what is in the log and
 * in the index for two copies then, which HQ does not.
 */
function pagesOf(records: ReadonlyMap<string, Uint8Array>, { strength, steps }: Fault): readonly string[] {
  const keys = [...records.keys()].filter((text) => !text.startsWith('M')).sort();
  const first = Math.floor(strength * keys.length);
  return keys.slice(first, first + Math.ceil(((steps % 100) / 100) * MOST_LOST * keys.length));
}

/** The newest for 0, the oldest near 1. */
function byAge(states: readonly Snapshot[], age: number): Snapshot | undefined {
  return states[Math.floor((1 - age) * (states.length - 1))];
}
