import type { SampleRule } from '../rule.ts';

/** Clocks that are disciplined gently may drift this far, as a share of the time between samples. */
const DRIFT = 0.001;

/** The wall clock moved against the monotonic one: set by hand, stepped by NTP, or the machine slept. */
export const clockJump: SampleRule = {
  code: 'clock_jump',
  severity: 'warning',
  clearAfter: 0,
  create: ({ clockJumpMs, time }) => {
    if (time === 'recorded') return null;
    let last: { readonly ts: number; readonly mono: number } | null = null;
    let jumpMs = 0;
    return {
      holds: ({ ts, mono }) => {
        const before = last;
        last = { ts, mono };
        if (before === null) return false;
        const elapsed = mono - before.mono;
        jumpMs = ts - before.ts - elapsed;
        return Math.abs(jumpMs) > clockJumpMs + elapsed * DRIFT;
      },
      detail: () =>
        `the wall clock moved by ${jumpMs > 0 ? '+' : ''}${jumpMs} ms against the monotonic clock`,
    };
  },
};
