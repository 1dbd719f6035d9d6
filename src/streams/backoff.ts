import type { Random } from '../platform/random.ts';
import { requireAtLeast } from './options.ts';

export type BackoffOptions = {
  /** Ceiling of the first delay, ms. */
  readonly initialMs: number;
  /** Ceiling of every delay, ms; at least `initialMs`. */
  readonly maxMs: number;
  /** Growth of the ceiling from one delay to the next; minimum 1. Default 2. */
  readonly factor?: number;
  /**
   * `full`: uniform in [0, ceiling). Spreads many clients best.
   * `decorrelated`: uniform in [initialMs, 3 × last delay).
   * `none`: the ceiling itself.
   */
  readonly jitter: 'full' | 'decorrelated' | 'none';
};

/** One step of a backoff. Immutable: `next` leaves it as it is. */
export type Backoff = {
  /** How long to wait before this attempt, whole ms. */
  readonly delayMs: number;
  /** The step after this one; draws its jitter when called. */
  readonly next: () => Backoff;
};

/**
 * Exponential backoff with jitter, as a value. To reset it, go back to its first step or make a new one.
 *
 * ```
 * none, initialMs 100, maxMs 1000, factor 2    100  200  400  800  1000  1000 …
 * full, every draw 0.5                           50  100  200  400   500   500 …
 * ```
 *
 * Formulas: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function backoff(options: BackoffOptions, random: Random): Backoff {
  checkBackoff(options);
  const { initialMs, maxMs, factor = 2, jitter } = options;

  const exponential = (ceilingMs: number): Backoff => ({
    delayMs: Math.round(jitter === 'full' ? random.next() * ceilingMs : ceilingMs),
    next: () => exponential(Math.min(maxMs, ceilingMs * factor)),
  });
  const decorrelated = (lastMs: number): Backoff => {
    const delayMs = Math.round(Math.min(maxMs, initialMs + random.next() * (lastMs * 3 - initialMs)));
    return { delayMs, next: () => decorrelated(delayMs) };
  };
  return jitter === 'decorrelated' ? decorrelated(initialMs) : exponential(initialMs);
}

/**
 * Throws RangeError on options that make no sense, so that they fail where they are given and not at the first
 * error.
 */
export function checkBackoff(options: BackoffOptions): void {
  requireAtLeast('initialMs', options.initialMs, 0);
  requireAtLeast('maxMs', options.maxMs, options.initialMs);
  requireAtLeast('factor', options.factor ?? 2, 1);
}
