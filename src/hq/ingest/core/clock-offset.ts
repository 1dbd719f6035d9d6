/**
 * How far an agent's wall clock is ahead of HQ's. A message that was written at `ts` and arrives at `now` was under way
 * for an unknown time, half a round trip at best: each estimate is too low by what it was held up, so the largest of
 * the last few is nearest. Estimates that disagree by more than JUMP_MS twice in a row say that a clock jumped.
 */
const KEPT = 8;
const JUMP_MS = 2_000;

export type ClockOffset = {
  /** Takes note of a message; returns the estimate, ms, agent minus HQ. */
  readonly observe: (ts: number, now: number, rttMs: number | null) => number;
  /** Null before the first message. */
  readonly current: () => number | null;
};

export function createClockOffset(): ClockOffset {
  let estimates: number[] = [];
  let shortestRtt = Number.POSITIVE_INFINITY;
  let strangers: number[] = [];
  const current = () => (estimates.length === 0 ? null : Math.max(...estimates));
  return {
    current,
    observe: (ts, now, rttMs) => {
      if (rttMs !== null) shortestRtt = Math.min(shortestRtt, rttMs);
      const way = Number.isFinite(shortestRtt) ? shortestRtt / 2 : 0;
      const estimate = ts + way - now;
      const known = current();
      if (known !== null && Math.abs(estimate - known) > JUMP_MS) {
        strangers.push(estimate);
        if (strangers.length < 2) return Math.round(known);
        estimates = strangers;
      } else {
        estimates.push(estimate);
      }
      strangers = [];
      estimates = estimates.slice(-KEPT);
      return Math.round(Math.max(...estimates));
    },
  };
}
