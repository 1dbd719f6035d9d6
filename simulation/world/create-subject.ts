/**
 * An agent of a world with its disk, its line and the truth about what it wrote; and copies of it, as cloned disks make
 * them.
 */
import { createAgentTruth } from '../check/agent-truth.ts';
import type { Subject } from '../check/check-world.ts';
import type { HqTruth } from '../check/hq-truth.ts';
import type { Violations } from '../check/violations.ts';
import type { Chance } from '../kernel/chance.ts';
import { createDisk, type Snapshot } from '../kernel/disk.ts';
import { createMachine } from '../kernel/machine.ts';
import type { Network } from '../kernel/network-port.ts';
import type { Timeline } from '../kernel/timeline.ts';
import type { AgentSettings } from './settings.ts';
import { createSimAgent, type SimAgent } from './sim-agent.ts';

export type SubjectWorld = {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly hqTruth: HqTruth;
  readonly violations: Violations;
  readonly note: (line: string) => void;
  readonly nextId: () => number;
  readonly isQuiet: () => boolean;
};

export type SubjectOptions = {
  readonly id: string;
  /** Of its machine and its line. */
  readonly name: string;
  readonly settings: AgentSettings;
  readonly chance: Chance;
  /** It is a copy: of whom, and what its disk holds from the first. */
  readonly copied?: { readonly of: Subject; readonly image: Snapshot };
};

export type WholeSubject = Subject & { readonly agent: SimAgent };

export function createSubject(world: SubjectWorld, options: SubjectOptions): WholeSubject {
  const { timeline, network, hqTruth, violations, note } = world;
  const { id, name, chance, copied } = options;
  const truth = createAgentTruth({
    agent: name,
    // A copy that is given an id of its own takes the epochs along that it begins from then on.
    idOf: (epoch) => (hqTruth.agents().get(name)?.has(epoch) === true ? name : id),
    now: timeline.now,
    violations,
    everAtHq: (agent, epoch) => hqTruth.epoch(agent, epoch).ever,
    wasAtHq: hqTruth.wasStored,
    ...(copied === undefined ? {} : { archive: copied.of.truth.archive }),
  });
  const disk = createDisk(chance.stream('disk'), {
    onWritten: (operations) => {
      note(`${name} wrote ${operations.length}`);
      truth.wrote(operations);
    },
  });
  if (copied !== undefined) {
    disk.restore(copied.image);
    truth.replaced(disk.records());
  }
  const agent = createSimAgent({
    id,
    name,
    settings: options.settings,
    timeline,
    chance,
    machine: createMachine(timeline, name),
    wire: network.wire(name, options.settings.line),
    disk,
    note,
    nextId: world.nextId,
    isQuiet: world.isQuiet,
  });
  return { agent, truth };
}
