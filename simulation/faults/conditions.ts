/**
 * What faults do to lines, disks and clocks for as long as they last, worked out from all that are active, as they
 * overlap.
 */
import type { Disk } from '../kernel/disk.ts';
import type { SimAgent } from '../world/sim-agent.ts';
import type { SimHq } from '../world/sim-hq.ts';
import type { Fault, FaultKind } from './plan.ts';
import { rateFactor } from './rate-factor.ts';

export type Conditions = {
  /** The faults that last now. */
  readonly active: Set<Fault>;
  /** Brings everything in line with the active faults; to be called after each change, and when HQ has started. */
  readonly refresh: () => void;
};

const CHAOS = ['down', 'slow', 'lossy', 'random'] as const;

export function createConditions(agents: readonly SimAgent[], hq: SimHq): Conditions {
  const active = new Set<Fault>();
  return {
    active,
    refresh: () => {
      const faults = [...active];
      agents.forEach((agent, index) => {
        const own = faults.filter(({ agents: whom }) => whom.includes(index));
        refreshLine(agent, own);
        refreshDisk(agent.disk, own, 'agent');
        const [drift] = ofKinds(own, 'agent_clock_drift');
        const stopped = ofKinds(own, 'agent_clock_stop').length > 0;
        agent.machine.setRate(stopped ? 0 : clockRate(drift));
      });
      refreshDisk(hq.disk, faults, 'hq');
      hq.machine.setRate(clockRate(ofKinds(faults, 'hq_clock_drift')[0]));
      const [chaos] = ofKinds(faults, 'hq_chaos');
      const mode = chaos === undefined ? 'off' : (CHAOS[Math.floor(chaos.strength * CHAOS.length)] ?? 'down');
      hq.running()?.chaos.setMode(mode);
    },
  };
}

function refreshLine({ settings: { line }, wire }: SimAgent, faults: readonly Fault[]): void {
  const slow = ofKinds(faults, 'slow_link');
  const lossy = ofKinds(faults, 'lossy_link');
  const doubling = ofKinds(faults, 'doubling_link');
  const most = 200 + strongest(slow) ** 2 * 5_000;
  const [rate] = ofKinds(faults, 'link_rate');
  const factor = rate === undefined ? 1 : rateFactor(rate.strength);
  wire.set({
    cut: ofKinds(faults, 'cut', 'partition').length > 0,
    upLost: ofKinds(faults, 'black_hole', 'black_hole_up').length > 0,
    downLost: ofKinds(faults, 'black_hole', 'black_hole_down').length > 0,
    delayMs: slow.length === 0 ? line.delayMs : [most / 4, most],
    upRate: line.upRate * factor,
    downRate: line.downRate * factor,
    loss: lossy.length === 0 ? 0 : 0.02 + strongest(lossy) * 0.4,
    doubled: doubling.length === 0 ? 0 : 0.1 + strongest(doubling) * 0.5,
  });
}

function refreshDisk(disk: Disk, faults: readonly Fault[], whose: 'agent' | 'hq'): void {
  const slow = ofKinds(faults, `${whose}_disk_slow`);
  disk.faults.slowMs = slow.length === 0 ? 0 : 50 + strongest(slow) ** 3 * 8_000;
  disk.faults.failing = ofKinds(faults, `${whose}_disk_failing`).length > 0;
  if (ofKinds(faults, `${whose}_disk_full`).length === 0)
    disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
}

function ofKinds(faults: readonly Fault[], ...kinds: readonly FaultKind[]): readonly Fault[] {
  return faults.filter(({ kind }) => kinds.includes(kind));
}

function strongest(faults: readonly Fault[]): number {
  return Math.max(0, ...faults.map(({ strength }) => strength));
}

/** Up to one part in a hundred off, either way. */
function clockRate(drift: Fault | undefined): number {
  return drift === undefined ? 1 : 1 + (drift.strength * 2 - 1) * 0.01;
}
