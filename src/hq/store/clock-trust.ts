/**
 * Whether the wall clock may be believed when it says that samples are old. A clock that leaps ahead, by a mistake of a
 * person, of a time server or of a machine that starts, would have retention remove all there is; so after such a leap
 * it must hold for a while. Leaps are told by the monotonic clock, and at the start by the newest arrival in the store.
 */
import type { Clock } from '../../platform/clock.ts';

/** A leap of less removes at most so much too early, ms. */
const LEAP_MS = 86_400_000;
/** How long a leap is disbelieved, ms of the monotonic clock. */
const HOLD_MS = 86_400_000;

export type ClockTrust = {
  /** Looks at the clock; true while it may be believed. To be asked often. */
  readonly holds: () => boolean;
};

/** `newestTs`: latest wall time known from before; null when none is. */
export function createClockTrust(
  clock: Pick<Clock, 'now' | 'precise'>,
  newestTs: number | null,
  onLeap: (aheadMs: number) => void,
): ClockTrust {
  let expected = newestTs;
  let lookedAt = clock.precise();
  let heldUntil = Number.NEGATIVE_INFINITY;
  return {
    holds: () => {
      const now = clock.now();
      const precise = clock.precise();
      const aheadMs = expected === null ? 0 : now - expected - (precise - lookedAt);
      expected = now;
      lookedAt = precise;
      if (aheadMs > LEAP_MS) {
        heldUntil = precise + HOLD_MS;
        onLeap(aheadMs);
      }
      return precise >= heldUntil;
    },
  };
}

/** What arrived, or was over, before is too old, ms; nothing is while the clock is not to be believed. */
export const cutoffOf = (
  { maxAgeMs }: { readonly maxAgeMs: number },
  clock: Pick<Clock, 'now'>,
  trust: ClockTrust,
): number => (trust.holds() ? clock.now() - maxAgeMs : Number.NEGATIVE_INFINITY);
