import {
  audit,
  concat,
  connect,
  defer,
  endWith,
  exhaustMap,
  ignoreElements,
  type MonoTypeOperatorFunction,
  merge,
  type Observable,
  type SchedulerLike,
  takeUntil,
  timer,
} from 'rxjs';
import { requireAtLeast } from './options.ts';

/**
 * Has something saved while values come, at most once in `ms`, and once more when the source has completed, before the
 * completion passes. Values pass at once.
 *
 * ```
 * source                   -a-b------c--------d-|
 * saveEvery(4, save, …)    -a-b------c--------d---|
 * saves                    -----s--------s------s|   each takes 2 in the drawing
 * ```
 *
 * One at a time: what falls due while one is under way is left to the next. Errors pass at once, also those of `save`;
 * nothing is saved then.
 *
 * @param ms from the first value after a save to the next save; minimum 1
 * @param save subscribed to; completes when it is done
 */
export function saveEvery<T>(
  ms: number,
  save: () => Observable<unknown>,
  scheduler: SchedulerLike,
): MonoTypeOperatorFunction<T> {
  requireAtLeast('ms', ms, 1);
  const saved$ = defer(save).pipe(ignoreElements());
  return connect((values$) => {
    const ended$ = values$.pipe(ignoreElements(), endWith(null));
    const due$ = values$.pipe(
      audit(() => timer(ms, scheduler)),
      takeUntil(ended$),
    );
    return concat(merge(values$, due$.pipe(exhaustMap(() => saved$))), saved$);
  });
}
