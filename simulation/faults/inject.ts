/** Makes the faults of a plan happen, and ends them. */
import type { Timeline } from '../kernel/timeline.ts';
import type { SimAgent } from '../world/sim-agent.ts';
import type { SimHq } from '../world/sim-hq.ts';
import { type Conditions, createConditions } from './conditions.ts';
import { describeFault, type Fault } from './plan.ts';
import { createStrikes, type DiskSurgery } from './strikes.ts';

export type InjectOptions = {
  readonly timeline: Timeline;
  readonly agents: readonly SimAgent[];
  readonly hq: SimHq;
  /** When all faults end, ms of virtual time. */
  readonly healAt: number;
  readonly note: (line: string) => void;
  readonly surgery: DiskSurgery;
  readonly onInjected: (fault: Fault) => void;
};

export type Injector = {
  readonly schedule: (faults: readonly Fault[]) => void;
  /**
   * Since when nothing but the rate of its line troubles an agent, or HQ; ms of virtual time, infinite while something
   * does.
   */
  readonly calmSince: (agent: number) => number;
  /** Ends all faults and starts what is down. */
  readonly heal: () => void;
};

/**
 * Of the time until the healing: everybody is cut off for that long before it, where HQ is restored once more after it.
 */
const CUT_OFF_SHARE = 0.15;
/** How long an agent is waited for that drains. */
const DRAINING_MS = 6_000;
const RESTORING_MS = 300;

export function createInjector(options: InjectOptions): Injector {
  const { timeline, agents, hq, note } = options;
  const conditions = createConditions(agents, hq);
  const { active, refresh } = conditions;
  const calmSince = createCalm(agents, timeline);
  let healed = false;
  let onlyLines = false;
  /** For a world whose plan has HQ restored. */
  let restoreAgain = () => {};
  const strikes = createStrikes({ ...options, conditions, isHealed: () => healed });

  const end = (fault: Fault) => {
    active.delete(fault);
    calmSince.ended(fault);
    refresh();
  };
  const begin = (fault: Fault) => {
    if (healed && fault.kind !== 'link_rate') return;
    note(`fault ${describeFault(fault)}`);
    active.add(fault);
    options.onInjected(fault);
    refresh();
    strikes.strike(fault);
    timeline.after(fault.forMs, () => end(fault));
  };

  return {
    calmSince: (agent) => {
      const troubled = [...active].some((fault) => isTrouble(fault, agent));
      return troubled ? Number.POSITIVE_INFINITY : calmSince.of(agent);
    },
    schedule: (faults) => {
      onlyLines = faults.every(({ kind }) => kind === 'cut' || kind === 'link_rate');
      for (const fault of faults) timeline.after(fault.at - timeline.now(), () => begin(fault));
      const restored = faults.findLast(({ kind }) => kind === 'hq_restored');
      if (restored === undefined) return;
      cutOffBeforeHealing(options, conditions, restored);
      restoreAgain = () => restoreWhileDraining(options, calmSince.reset, timeline.now() + DRAINING_MS);
    },
    heal: () => {
      healed = true;
      // Where nothing but lines was ever troubled, nobody is started and no trouble ends now.
      if (!onlyLines || [...active].some(({ kind }) => kind !== 'link_rate')) calmSince.reset();
      active.clear();
      note('healed');
      for (const agent of agents) {
        agent.hold(false);
        agent.start();
        agent.liftBudget();
      }
      strikes.separateAll();
      hq.start();
      refresh();
      restoreAgain();
    },
  };
}

/** When the last trouble of each agent ended, ms of virtual time. */
function createCalm(agents: readonly SimAgent[], timeline: Timeline) {
  const since = new Map<number, number>();
  return {
    of: (agent: number) => since.get(agent) ?? 0,
    ended: (fault: Fault) => {
      for (const agent of agents.keys()) if (isTrouble(fault, agent)) since.set(agent, timeline.now());
    },
    reset: () => {
      for (const agent of agents.keys()) since.set(agent, timeline.now());
    },
  };
}

function isTrouble({ kind, agents: whom }: Fault, agent: number): boolean {
  return kind !== 'link_rate' && (whom.length === 0 || whom.includes(agent));
}

function cutOffBeforeHealing(
  { timeline, agents, healAt }: InjectOptions,
  { active, refresh }: Conditions,
  restored: Fault,
): void {
  const cutOff: Fault = { ...restored, kind: 'partition', agents: [...agents.keys()] };
  timeline.after(healAt * (1 - CUT_OFF_SHARE) - timeline.now(), () => {
    active.add(cutOff);
    refresh();
  });
}

/**
 * Puts HQ's newest backup back once more, soon after the healing: when an agent that was cut off until then has
 * delivered its present and not yet its past. HQ forgets seqs beyond a hole then, and nobody connects once more: what
 * an agent does not notice HQ is never told.
 */
function restoreWhileDraining(options: InjectOptions, onTrouble: () => void, until: number): void {
  const { timeline, agents, hq, note, surgery } = options;
  if (!agents.some(isDraining) && timeline.now() < until) {
    timeline.afterSteps(1, () => restoreWhileDraining(options, onTrouble, until));
    return;
  }
  note('hq_restored while backlogs drain');
  onTrouble();
  hq.kill(false);
  surgery.restoreHq(0);
  timeline.after(RESTORING_MS, hq.start);
}

/** It has delivered newer samples than some that it still has. */
function isDraining({ running }: SimAgent): boolean {
  const stats = running()?.journal.stats();
  if (stats === undefined) return false;
  const dropped = Object.values(stats.dropped).reduce((sum, count) => sum + count, 0);
  return stats.acked + dropped > stats.released;
}
