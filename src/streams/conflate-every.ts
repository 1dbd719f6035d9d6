import { concat, ignoreElements, type MonoTypeOperatorFunction, of, type SchedulerLike, timer } from 'rxjs';
import { conflate, type Fold } from './conflate.ts';
import { requireAtLeast } from './options.ts';

/**
 * At most one value in `periodMs`: the first at once, then the newest (or the fold) of each period in which
 * something came.
 *
 * ```
 * source              a-b-c-------d---|
 * conflateEvery(5)    a----c------d----|
 * ```
 *
 * Completes with the period after the last value, so that a repetition keeps the pace; errors pass at once.
 */
export function conflateEvery<T>(
  periodMs: number,
  scheduler: SchedulerLike,
  fold?: Fold<T>,
): MonoTypeOperatorFunction<T> {
  requireAtLeast('periodMs', periodMs, 1);
  return conflate<T, T>(
    (value) => concat(of(value), timer(periodMs, scheduler).pipe(ignoreElements())),
    fold,
  );
}
