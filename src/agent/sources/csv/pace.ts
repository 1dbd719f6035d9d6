import type { SourceEnv } from '../source.ts';

export type Pace = {
  /** How long to wait before the row of this time, ms; 0 or less: not at all. */
  readonly waitMs: (rowTs: number) => number;
  /** A row was given, by this run or an earlier one. */
  readonly given: (rowTs: number) => void;
  /** The row's time, moved on by the passes before. */
  readonly shifted: (rowTs: number) => number;
  readonly nextPass: () => void;
  /** The rows to come are so much later than their times say, ms. */
  readonly late: (ms: number) => void;
  readonly state: () => PaceState;
};

/** What the times of later rows depend on. */
export type PaceState = {
  /** Time of the first row of all; null before it, as is `last`. */
  readonly origin: number | null;
  /** Of the latest row of this pass. */
  readonly last: number | null;
  readonly interval: number;
  readonly shiftMs: number;
  readonly passShiftMs: number;
};

export const AT_START: PaceState = { origin: null, last: null, interval: 0, shiftMs: 0, passShiftMs: 0 };

/** Keeps the rhythm of the time column from the first row on, so that delays of single rows never add up. */
export function createPace(
  speed: 'max' | number,
  env: Pick<SourceEnv, 'clock'>,
  from: PaceState = AT_START,
): Pace {
  const now = () => env.clock.scheduler.now();
  let begun: { readonly at: number; readonly ts: number } | null = null;
  let { origin, last, interval, shiftMs, passShiftMs } = from;
  return {
    waitMs: (rowTs) => {
      if (speed === 'max') return 0;
      begun ??= { at: now(), ts: rowTs + shiftMs };
      return begun.at + (rowTs + shiftMs - begun.ts) / speed - now();
    },
    given: (rowTs) => {
      origin ??= rowTs;
      if (last !== null && rowTs > last) interval = rowTs - last;
      last = rowTs;
      passShiftMs = Math.max(passShiftMs, rowTs + interval - origin);
    },
    shifted: (rowTs) => rowTs + shiftMs,
    nextPass: () => {
      shiftMs += passShiftMs;
      last = null;
      passShiftMs = 0;
    },
    late: (ms) => {
      if (begun !== null) begun = { ...begun, at: begun.at + ms };
    },
    state: () => ({ origin, last, interval, shiftMs, passShiftMs }),
  };
}
