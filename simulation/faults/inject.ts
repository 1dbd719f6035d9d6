/** Makes the faults of a plan happen, and ends them. What lasts is worked out from all faults that are active, as they overlap. */
import { FRAME_KEY_BYTES } from '../../src/journal/keys.ts';
import { keyBytes } from '../../src/storage/key-text.ts';
import type { Disk, Snapshot } from '../kernel/disk.ts';
import type { Timeline } from '../kernel/timeline.ts';
import type { SimAgent } from '../world/sim-agent.ts';
import type { SimHq } from '../world/sim-hq.ts';
import { describeFault, type Fault, type FaultKind } from './plan.ts';
import { rateFactor } from './rate-factor.ts';

export type InjectOptions = {
  readonly timeline: Timeline;
  readonly agents: readonly SimAgent[];
  readonly hq: SimHq;
  /** When all faults end, ms of virtual time. */
  readonly healAt: number;
  readonly note: (line: string) => void;
  /** Puts other content on the disk of an agent that does not run. */
  readonly replaceDisk: (agent: number, content: Snapshot) => void;
  /** Puts an earlier state on the disk of an agent that does not run: the newest for 0, the oldest near 1. */
  readonly rollBack: (agent: number, age: number) => void;
  /** Starts a copy of an agent on a copy of its disk as it is now, under the same id; what it returns gives the copy a life of its own. */
  readonly clone: (agent: number, fault: Fault) => () => void;
  /** Puts a backup on the disk of HQ, which does not run: the newest for 0, the oldest near 1. */
  readonly restoreHq: (age: number) => void;
  readonly onInjected: (fault: Fault) => void;
};

export type Injector = {
  readonly schedule: (faults: readonly Fault[]) => void;
  /** Since when nothing but the rate of its line troubles an agent, or HQ; ms of virtual time, infinite while something does. */
  readonly calmSince: (agent: number) => number;
  /** Ends all faults and starts whoever is down. */
  readonly heal: () => void;
};

const TEN_YEARS_MS = 10 * 365.25 * 86_400_000;
const EMPTY_DISK: Snapshot = { records: new Map(), usedBytes: 0 };
const FRAME_PREFIX = 0x40;
const BOOKS_KEY = Uint8Array.of(0x01);
/** Of the time until the healing: everybody is cut off for that long before it, where HQ is restored once more after it. */
const CUT_OFF_SHARE = 0.15;
/** How long an agent is waited for that drains. */
const DRAINING_MS = 6_000;
const RESTORING_MS = 300;
const CHAOS = ['down', 'slow', 'lossy', 'random'] as const;

export function createInjector(options: InjectOptions): Injector {
  const { timeline, agents, hq, healAt, note } = options;
  const active = new Set<Fault>();
  const calmSince = new Map<number, number>();
  /** Each gives a copy its own life, unless it has it. */
  const separations: (() => void)[] = [];
  /** For a world whose plan has HQ restored. */
  let restoreAgain = () => {};
  let healed = false;
  let onlyLines = false;

  const on = (agent: number, ...kinds: readonly FaultKind[]): readonly Fault[] =>
    [...active].filter(({ kind, agents: whom }) => kinds.includes(kind) && whom.includes(agent));
  const onHq = (kind: FaultKind): readonly Fault[] => [...active].filter((one) => one.kind === kind);
  const strongest = (faults: readonly Fault[]) => Math.max(0, ...faults.map(({ strength }) => strength));

  const refreshDisk = (disk: Disk, slow: readonly Fault[], failing: boolean) => {
    disk.faults.slowMs = slow.length === 0 ? 0 : 50 + strongest(slow) ** 3 * 8_000;
    disk.faults.failing = failing;
  };
  const refresh = () => {
    agents.forEach((agent, index) => {
      const slow = on(index, 'slow_link');
      const lossy = on(index, 'lossy_link');
      const doubling = on(index, 'doubling_link');
      const most = 200 + strongest(slow) ** 2 * 5_000;
      const [rate] = on(index, 'link_rate');
      const factor = rate === undefined ? 1 : rateFactor(rate.strength);
      const { line } = agent.settings;
      agent.wire.set({
        cut: on(index, 'cut', 'partition').length > 0,
        upLost: on(index, 'black_hole', 'black_hole_up').length > 0,
        downLost: on(index, 'black_hole', 'black_hole_down').length > 0,
        delayMs: slow.length === 0 ? line.delayMs : [most / 4, most],
        upRate: line.upRate * factor,
        downRate: line.downRate * factor,
        loss: lossy.length === 0 ? 0 : 0.02 + strongest(lossy) * 0.4,
        doubled: doubling.length === 0 ? 0 : 0.1 + strongest(doubling) * 0.5,
      });
      refreshDisk(agent.disk, on(index, 'agent_disk_slow'), on(index, 'agent_disk_failing').length > 0);
      if (on(index, 'agent_disk_full').length === 0)
        agent.disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
      const [drift] = on(index, 'agent_clock_drift');
      const stopped = on(index, 'agent_clock_stop').length > 0;
      agent.machine.setRate(stopped ? 0 : drift === undefined ? 1 : rateOf(drift));
    });
    refreshDisk(hq.disk, onHq('hq_disk_slow'), onHq('hq_disk_failing').length > 0);
    if (onHq('hq_disk_full').length === 0) hq.disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
    const [hqDrift] = onHq('hq_clock_drift');
    hq.machine.setRate(hqDrift === undefined ? 1 : rateOf(hqDrift));
    const [chaos] = onHq('hq_chaos');
    const mode = chaos === undefined ? 'off' : (CHAOS[Math.floor(chaos.strength * CHAOS.length)] ?? 'down');
    hq.running()?.chaos.setMode(mode);
  };

  const damageFrame = (disk: Disk, fault: Fault) => {
    const frames = [...disk.records().keys()].filter(
      (text) => text.charCodeAt(0) === FRAME_PREFIX && text.length === FRAME_KEY_BYTES,
    );
    const text = frames[Math.floor(fault.strength * frames.length)];
    if (text !== undefined) disk.damage(keyBytes(text));
  };

  /** Waits for a commit to be under way. */
  const whenWriting = (disk: Disk, strike: () => void) => {
    if (healed) return;
    if (disk.isWriting()) strike();
    else timeline.afterSteps(1, () => whenWriting(disk, strike));
  };

  /** Kills at once and starts again when the fault has passed. */
  const downNow = (fault: Fault, kill: () => void, start: () => void, hold: (held: boolean) => void) => {
    if (healed) return;
    hold(true);
    kill();
    timeline.after(fault.forMs, () => {
      hold(false);
      start();
      refresh();
    });
  };
  /** The same, some events later. */
  const down: typeof downNow = (fault, ...how) =>
    timeline.afterSteps(fault.steps, () => downNow(fault, ...how));

  /** Without its line, and once more before it has that back: by then it may have more samples than HQ has of it. */
  const startUnheard = (fault: Fault, agent: SimAgent) => {
    const alone: Fault = { ...fault, kind: 'partition' };
    if (!healed) active.add(alone);
    refresh();
    agent.start();
    timeline.after(fault.forMs, () => {
      // Else all has healed.
      if (!active.delete(alone)) return;
      agent.kill(false);
      agent.start();
      refresh();
    });
  };

  const strike = (fault: Fault) => {
    const jumpMs = (fault.strength * 2 - 1) ** 3 * TEN_YEARS_MS;
    for (const index of fault.agents) {
      const agent = agents[index];
      if (agent === undefined) continue;
      switch (fault.kind) {
        case 'agent_crash':
        case 'agent_power_loss':
          down(fault, () => agent.kill(fault.kind === 'agent_power_loss'), agent.start, agent.hold);
          break;
        case 'agent_stop':
          down(fault, agent.stop, agent.start, agent.hold);
          break;
        case 'agent_disk_full':
          agent.disk.faults.capacityBytes = agent.disk.usedBytes() + Math.floor(fault.strength * 4_096);
          break;
        case 'agent_record_damaged':
          damageFrame(agent.disk, fault);
          break;
        case 'agent_books_damaged':
          down(
            fault,
            () => {
              agent.kill(true);
              agent.disk.damage(BOOKS_KEY);
            },
            agent.start,
            agent.hold,
          );
          break;
        case 'agent_torn_write':
          whenWriting(agent.disk, () => downNow(fault, agent.tear, agent.start, agent.hold));
          break;
        case 'agent_wiped':
          down(
            fault,
            () => {
              agent.kill(false);
              options.replaceDisk(index, EMPTY_DISK);
            },
            agent.start,
            agent.hold,
          );
          break;
        case 'agent_rolled_back':
          down(
            fault,
            () => {
              agent.kill(true);
              options.rollBack(index, fault.strength);
            },
            fault.steps % 2 === 0 ? agent.start : () => startUnheard(fault, agent),
            agent.hold,
          );
          break;
        case 'agent_cloned':
          separations.push(once(options.clone(index, fault)));
          timeline.after(fault.forMs, separations.at(-1) ?? (() => {}));
          break;
        case 'agent_clock_jump':
          agent.machine.jump(jumpMs);
          break;
        default:
      }
    }
    switch (fault.kind) {
      case 'hq_crash':
      case 'hq_power_loss':
        down(
          fault,
          () => hq.kill(fault.kind === 'hq_power_loss'),
          hq.start,
          () => {},
        );
        break;
      case 'hq_restored':
        down(
          fault,
          () => {
            hq.kill(true);
            options.restoreHq(fault.strength);
          },
          hq.start,
          () => {},
        );
        break;
      case 'hq_disk_full':
        hq.disk.faults.capacityBytes = hq.disk.usedBytes() + Math.floor(fault.strength * 65_536);
        break;
      case 'hq_clock_jump':
        hq.machine.jump(jumpMs);
        break;
      default:
    }
  };

  /**
   * Puts HQ's newest backup back once more, soon after the healing: when an agent that was cut off until then has delivered its
   * present and not yet its past. HQ forgets seqs beyond a hole then, and nobody connects once more: what an agent does not notice
   * HQ is never told.
   */
  const restoreWhileDraining = (until: number) => {
    if (!agents.some(isDraining) && timeline.now() < until) {
      timeline.afterSteps(1, () => restoreWhileDraining(until));
      return;
    }
    note('hq_restored while backlogs drain');
    for (const agent of agents.keys()) calmSince.set(agent, timeline.now());
    hq.kill(false);
    options.restoreHq(0);
    timeline.after(RESTORING_MS, hq.start);
  };

  const isTrouble = ({ kind, agents: whom }: Fault, agent: number) =>
    kind !== 'link_rate' && (whom.length === 0 || whom.includes(agent));
  const end = (fault: Fault) => {
    active.delete(fault);
    for (const agent of agents.keys()) if (isTrouble(fault, agent)) calmSince.set(agent, timeline.now());
    refresh();
  };

  const begin = (fault: Fault) => {
    if (healed && fault.kind !== 'link_rate') return;
    note(`fault ${describeFault(fault)}`);
    active.add(fault);
    options.onInjected(fault);
    refresh();
    strike(fault);
    timeline.after(fault.forMs, () => end(fault));
  };

  return {
    calmSince: (agent) => {
      const troubled = [...active].some((fault) => isTrouble(fault, agent));
      return troubled ? Number.POSITIVE_INFINITY : (calmSince.get(agent) ?? 0);
    },
    schedule: (faults) => {
      onlyLines = faults.every(({ kind }) => kind === 'cut' || kind === 'link_rate');
      for (const fault of faults) timeline.after(fault.at - timeline.now(), () => begin(fault));
      const restored = faults.findLast(({ kind }) => kind === 'hq_restored');
      if (restored === undefined) return;
      const cutOff: Fault = { ...restored, kind: 'partition', agents: [...agents.keys()] };
      timeline.after(healAt * (1 - CUT_OFF_SHARE) - timeline.now(), () => {
        active.add(cutOff);
        refresh();
      });
      restoreAgain = () => restoreWhileDraining(timeline.now() + DRAINING_MS);
    },
    heal: () => {
      healed = true;
      // Where nothing but lines was ever troubled, nobody is started and no trouble ends now.
      if (!onlyLines || [...active].some(({ kind }) => kind !== 'link_rate'))
        for (const agent of agents.keys()) calmSince.set(agent, timeline.now());
      active.clear();
      note('healed');
      for (const agent of agents) {
        agent.hold(false);
        agent.start();
        agent.liftBudget();
      }
      for (const separate of separations) separate();
      hq.start();
      refresh();
      restoreAgain();
    },
  };

  function once(work: () => void): () => void {
    let done = false;
    return () => {
      if (!done) work();
      done = true;
    };
  }

  function rateOf({ strength }: Fault): number {
    // Up to one part in a hundred, either way.
    return 1 + (strength * 2 - 1) * 0.01;
  }
}

/** It has delivered newer samples than some that it still has. */
function isDraining({ running }: SimAgent): boolean {
  const stats = running()?.journal.stats();
  if (stats === undefined) return false;
  const dropped = Object.values(stats.dropped).reduce((sum, count) => sum + count, 0);
  return stats.acked + dropped > stats.released;
}
