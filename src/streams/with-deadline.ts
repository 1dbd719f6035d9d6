import { type MonoTypeOperatorFunction, map, type SchedulerLike, takeUntil, timer } from 'rxjs';

/**
 * Bounds the whole life of a subscription: errors with `makeError()` when the source has not ended `ms` after
 * subscription, and unsubscribes from it. RxJS's `timeout` bounds the wait between values instead.
 *
 * ```
 * source                  --a-----------
 * withDeadline(6, …)      --a---#
 * ```
 *
 * Otherwise completes and errors with the source.
 */
export function withDeadline<T>(
  ms: number,
  scheduler: SchedulerLike,
  makeError: () => unknown,
): MonoTypeOperatorFunction<T> {
  return takeUntil(
    timer(ms, scheduler).pipe(
      map(() => {
        throw makeError();
      }),
    ),
  );
}
