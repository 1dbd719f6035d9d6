/**
 * Worlds in which nothing goes wrong but one line: it is cut for long, and becomes slower for good while the backlog
 * goes over it. What was in flight then takes longer than an ack may take, and an estimate that does not fall keeps
 * live samples waiting.
 */
import type { Fault } from '../faults/plan.ts';
import { rateStrength } from '../faults/rate-factor.ts';
import type { Chance } from '../kernel/chance.ts';
import { type AgentSettings, sampledRate } from './settings.ts';

export type FallingLine = {
  /** What becomes of the first agent's settings. */
  readonly alter: (drawn: AgentSettings) => AgentSettings;
  /** All faults of the world. */
  readonly faults: readonly Fault[];
};

const SHARE = 0.08;
/** What it measures: a backlog takes a while. */
const PERIOD_MS = 900;
const NOISY_SERIES = 80;
const LARGE_JOURNAL_BYTES = 64 * 2 ** 20;
/** Times what is measured: before the fall a backlog takes a while, after it live samples have room yet. */
const HEADROOM = [12, 15] as const;
const HEADROOM_AFTER = 3;
/** Shorter than what is in flight takes after the fall. */
const ACK_TIMEOUT_MS = 2_000;
/** Before all is healed: what the cut left behind has been noticed by the fall. */
const CUT_ENDS_MS = 12_000;
const FALLS_MS = [500, 2_000] as const;

/** Of one world in twelve; null: of another. */
export function drawFallingLine(
  chance: Chance,
  { spanMs, healAt }: { spanMs: number; healAt: number },
): FallingLine | null {
  if (!chance.chance(SHARE)) return null;
  const headroom = chance.between(...HEADROOM);
  const at = healAt + chance.between(...FALLS_MS);
  const one = { agents: [0], steps: 0 };
  return {
    alter: (drawn) => {
      const busy = { ...drawn, periodMs: PERIOD_MS, noisySeries: NOISY_SERIES };
      const rate = headroom * sampledRate(busy);
      const { uplink, journal } = drawn.config;
      return {
        ...busy,
        config: {
          ...drawn.config,
          journal: { ...journal, maxBytes: LARGE_JOURNAL_BYTES, commitMs: Math.min(200, journal.commitMs) },
          uplink: {
            ...uplink,
            ackTimeoutMs: ACK_TIMEOUT_MS,
            maxBytesPerSecond: 0,
            maxBytesPerDay: 0,
            maxInFlight: 32,
          },
        },
        line: { delayMs: [280, 320], upRate: rate, downRate: rate },
      };
    },
    faults: [
      { ...one, index: 0, kind: 'cut', at: 0.02 * healAt, forMs: 0.98 * healAt - CUT_ENDS_MS, strength: 0 },
      {
        ...one,
        index: 1,
        kind: 'link_rate',
        at,
        forMs: Math.max(0, spanMs - at),
        strength: rateStrength(HEADROOM_AFTER / headroom),
      },
    ],
  };
}
