/** The dashboard's only timers and clocks. */
import { filter, fromEvent, map, merge, type Observable, of, share, switchMap, timer } from 'rxjs';

/** The browser's wall time, epoch ms. Ages are reckoned on HQ's clock instead: see `hqOffset` of the fleet state. */
export const wallNow = (): number => Date.now();

/** Monotonic ms since the page began. */
export const monoNow = (): number => performance.now();

/** Emits monotonic ms at once and then each second; shared by all that tick. */
export const second$: Observable<number> = timer(0, 1000).pipe(map(monoNow), share());

/** Emits once after `ms`. */
export const after = (ms: number): Observable<number> => timer(ms);

const visible$: Observable<boolean> = merge(of(null), fromEvent(document, 'visibilitychange')).pipe(
  map(() => document.visibilityState === 'visible'),
);

/** Emits at once and then each `ms`; pauses while the page is hidden and emits at once when it is seen again. */
export const everyWhileVisible = (ms: number): Observable<number> =>
  visible$.pipe(
    switchMap((visible) => (visible ? timer(0, ms) : of(-1))),
    filter((count) => count >= 0),
  );
