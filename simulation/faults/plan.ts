/**
 * The faults of a run: a list drawn from the seed before anything happens, so that a part of it can be played again.
 */
import type { Chance } from '../kernel/chance.ts';

/** What one agent's line, process, disk or clock can suffer. */
export const AGENT_FAULTS = [
  'cut',
  'black_hole',
  'black_hole_up',
  'black_hole_down',
  'slow_link',
  'lossy_link',
  'doubling_link',
  'agent_crash',
  'agent_power_loss',
  'agent_stop',
  'agent_disk_slow',
  'agent_disk_full',
  'agent_disk_failing',
  'agent_record_damaged',
  'agent_ledger_damaged',
  'agent_torn_write',
  'agent_wiped',
  'agent_rolled_back',
  'agent_cloned',
  'agent_clock_jump',
  'agent_clock_drift',
  'agent_clock_stop',
] as const;
export const HQ_FAULTS = [
  'hq_crash',
  'hq_power_loss',
  'hq_restored',
  'hq_disk_slow',
  'hq_disk_full',
  'hq_disk_failing',
  'hq_clock_jump',
  'hq_clock_drift',
  'hq_chaos',
  'partition',
] as const;
/** Drawn apart from all others. */
export const LINE_FAULTS = ['link_rate'] as const;
/** Drawn apart, too. */
export const DAMAGE_FAULTS = ['hq_damaged'] as const;
export const FAULT_KINDS = [...AGENT_FAULTS, ...HQ_FAULTS, ...LINE_FAULTS, ...DAMAGE_FAULTS] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export type Fault = {
  /** Place in the plan of its seed. */
  readonly index: number;
  readonly kind: FaultKind;
  /** ms since the world began. */
  readonly at: number;
  /** How long it lasts, ms. */
  readonly forMs: number;
  /** Positions of the agents concerned; none for HQ's own. */
  readonly agents: readonly number[];
  /** Strength of the fault, in [0, 1); each kind has its own scale. */
  readonly strength: number;
  /** Events that pass between `at` and the blow itself, so that it falls between any two steps. */
  readonly steps: number;
};

export type PlanOptions = { readonly hours: number; readonly agents: number };

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const LEAST_MS = 500;

/** Faults begin in the first four fifths of the run and have all ended by then. */
export function drawPlan(chance: Chance, { hours, agents }: PlanOptions): readonly Fault[] {
  const span = hours * HOUR * 0.8;
  const count = chance.whole(3, 10 + Math.ceil(hours * 2));
  const faults = Array.from({ length: count }, (): Omit<Fault, 'index'> => {
    const kind = chance.pick(chance.chance(0.65) ? AGENT_FAULTS : HQ_FAULTS);
    const at = chance.between(0.02, 0.98) * span;
    // Short ones as often as long ones.
    const longest = Math.max(LEAST_MS, Math.min(span - at, hours * 10 * MINUTE));
    const forMs = LEAST_MS * (longest / LEAST_MS) ** chance.next();
    return {
      kind,
      at,
      forMs,
      agents: targets(chance, kind, agents),
      strength: chance.next(),
      steps: chance.whole(0, 300),
    };
  });
  return faults.sort((a, b) => a.at - b.at).map((fault, index) => ({ ...fault, index }));
}

/**
 * Of lines that have a rate: up to four changes of it with the other faults, a long cut, and one change after all
 * faults have ended. Numbered on from the plan's, and drawn apart, so that those stay as they are.
 */
export function drawLineFaults(
  chance: Chance,
  { hours, slow, from }: { readonly hours: number; readonly slow: readonly number[]; readonly from: number },
): readonly Fault[] {
  if (slow.length === 0) return [];
  const healAt = hours * HOUR * 0.8;
  const rest = hours * HOUR - healAt;
  const change = (at: number, longestMs: number): Omit<Fault, 'index'> => ({
    kind: 'link_rate',
    at,
    forMs: Math.min(longestMs, chance.between(5, 60) * 1_000),
    agents: [chance.pick(slow)],
    strength: chance.next(),
    steps: 0,
  });
  const during = Array.from({ length: chance.whole(0, 4) }, () => {
    const at = chance.between(0.05, 0.95) * healAt;
    return change(at, healAt - at);
  });
  // Whoever was cut off for long has a backlog when all has healed, and drains it over a line that changes.
  const cut: Omit<Fault, 'index'> = {
    ...change(0.05 * healAt, 0.95 * healAt),
    kind: 'cut',
    forMs: 0.95 * healAt,
  };
  const cuts = chance.chance(0.6) ? [cut] : [];
  const after = {
    ...change(healAt + chance.between(3, 8) * 1_000, 0.6 * rest),
    agents: cut.agents,
    forMs: 0.6 * rest,
    strength: chance.between(0.2, 0.8),
  };
  return [...during, ...cuts, after].map((fault, index) => ({ ...fault, index: from + index }));
}

/** Of the worlds in which HQ's data are damaged. */
const DAMAGED_SHARE = 0.3;

/** Numbered on from the plan's, and drawn apart, so that those stay as they are. */
export function drawDamage(
  chance: Chance,
  { hours, from }: { readonly hours: number; readonly from: number },
): readonly Fault[] {
  if (!chance.chance(DAMAGED_SHARE)) return [];
  const span = hours * HOUR * 0.8;
  return Array.from({ length: chance.whole(1, 2) }, (_, index): Fault => {
    const at = chance.between(0.2, 0.98) * span;
    return {
      index: from + index,
      kind: chance.pick(DAMAGE_FAULTS),
      at,
      forMs: chance.between(LEAST_MS, Math.max(LEAST_MS, Math.min(span - at, MINUTE))),
      agents: [],
      strength: chance.next(),
      steps: chance.whole(0, 300),
    };
  });
}

function targets(chance: Chance, kind: FaultKind, agents: number): readonly number[] {
  const all = Array.from({ length: agents }, (_, index) => index);
  if (kind === 'partition') return all.filter(() => chance.chance(0.5));
  return (HQ_FAULTS as readonly string[]).includes(kind) ? [] : [chance.pick(all)];
}

export function describeFault({ index, kind, at, forMs, agents, strength }: Fault): string {
  const who = agents.length === 0 ? 'hq' : agents.map((one) => `agent-${one + 1}`).join(', ');
  return `#${index} ${kind} of ${who} at ${Math.round(at)} ms for ${Math.round(forMs)} ms, strength ${strength.toFixed(2)}`;
}
