import type { SourceEnv } from '../source.ts';

export type Pace = {
  /** How long to wait before the row of this time, ms; 0 or less: not at all. */
  readonly waitMs: (rowTs: number) => number;
  readonly given: (rowTs: number) => void;
  /** The row's time, moved on by the passes before. */
  readonly shifted: (rowTs: number) => number;
  readonly nextPass: () => void;
};

/** Keeps the rhythm of the time column from the first row on, so that delays of single rows never add up. */
export function createPace(speed: 'max' | number, env: Pick<SourceEnv, 'clock'>): Pace {
  const now = () => env.clock.scheduler.now();
  let begun: { readonly at: number; readonly ts: number } | null = null;
  let last: number | null = null;
  let interval = 0;
  let shiftMs = 0;
  let passShiftMs = 0;
  return {
    waitMs: (rowTs) => {
      if (speed === 'max') return 0;
      begun ??= { at: now(), ts: rowTs };
      return begun.at + (rowTs + shiftMs - begun.ts) / speed - now();
    },
    given: (rowTs) => {
      begun ??= { at: now(), ts: rowTs };
      if (last !== null && rowTs > last) interval = rowTs - last;
      last = rowTs;
      passShiftMs = Math.max(passShiftMs, rowTs + interval - begun.ts);
    },
    shifted: (rowTs) => rowTs + shiftMs,
    nextPass: () => {
      shiftMs += passShiftMs;
      last = null;
      passShiftMs = 0;
    },
  };
}
