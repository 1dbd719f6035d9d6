/** Work in passes behind everything else: woken when there may be something to do, with a rest between passes. */
import {
  catchError,
  EMPTY,
  exhaustMap,
  expand,
  ignoreElements,
  interval,
  merge,
  type Observable,
  of,
  type SchedulerLike,
  switchMap,
  timer,
} from 'rxjs';

export type BackgroundOptions = {
  /** Does a part of the work; emits whether there is more. */
  readonly pass: () => Observable<boolean>;
  readonly wake$: Observable<unknown>;
  /** Time left to others after each pass, ms. */
  readonly restMs: number;
  /** Looked at all the same after this time, ms: a wake during the last pass may have been missed. */
  readonly idleMs: number;
  readonly scheduler: SchedulerLike;
  /** A failed pass is reported here; the next wake tries again. */
  readonly onError: (error: unknown) => void;
};

/** Works while subscribed; never emits. */
export function background(options: BackgroundOptions): Observable<never> {
  const { pass, scheduler } = options;
  return merge(of(null), options.wake$, interval(options.idleMs, scheduler)).pipe(
    exhaustMap(() =>
      pass().pipe(
        expand((more) => (more ? timer(options.restMs, scheduler).pipe(switchMap(pass)) : EMPTY)),
        catchError((error: unknown) => {
          options.onError(error);
          return EMPTY;
        }),
      ),
    ),
    ignoreElements(),
  );
}
