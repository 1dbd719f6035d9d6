import {
  type MonoTypeOperatorFunction,
  map,
  NEVER,
  type Observable,
  type SchedulerLike,
  startWith,
  switchMap,
  takeUntil,
  timer,
} from 'rxjs';

/**
 * Bounds the whole life of a subscription: errors with `makeError()` when the source has not ended `ms` after
 * subscription, and unsubscribes from it. RxJS's `timeout` bounds the wait between values instead.
 *
 * ```
 * source                  --a-----------
 * withDeadline(6, …)      --a---#
 * ```
 *
 * Each emission of `progress$` begins the `ms` again, asking for them where they are a function: then it bounds
 * silence, not the whole. Otherwise completes and errors with the source.
 */
export function withDeadline<T>(
  ms: number | (() => number),
  scheduler: SchedulerLike,
  makeError: () => unknown,
  progress$: Observable<unknown> = NEVER,
): MonoTypeOperatorFunction<T> {
  return takeUntil(
    progress$.pipe(
      startWith(undefined),
      switchMap(() => timer(typeof ms === 'number' ? ms : ms(), scheduler)),
      map(() => {
        throw makeError();
      }),
    ),
  );
}
