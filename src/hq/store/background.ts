/** Work in passes behind everything else: woken when there may be something to do, with a rest between passes. */
import {
  catchError,
  defer,
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
  /** Others are in need: passes are skipped, but for each SKIPS + 1st. */
  readonly yields: () => boolean;
  /** A failed pass is reported here; the next wake tries again. */
  readonly onError: (error: unknown) => void;
};

/** Passes left out in a row at most: a little is done however long the need lasts. */
const SKIPS = 9;

/** Works while subscribed; never emits. */
export function background(options: BackgroundOptions): Observable<never> {
  const { scheduler } = options;
  let skipped = 0;
  const pass = (): Observable<boolean> =>
    defer(() => {
      if (skipped < SKIPS && options.yields()) {
        skipped += 1;
        return of(true);
      }
      skipped = 0;
      return options.pass();
    });
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
