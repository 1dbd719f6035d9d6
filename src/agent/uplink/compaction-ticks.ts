import {
  defer,
  exhaustMap,
  filter,
  map,
  type Observable,
  type SchedulerLike,
  startWith,
  takeWhile,
  tap,
  timer,
} from 'rxjs';
import type { Journal } from '../../journal/port.ts';

const CHECK_MS = 1_000;
const MANY_FRAMES = 512;
/** Ticks after which even a few small frames are merged. */
const FEW_AT_TICKS = 5;
const FEW_FRAMES = 16;

/**
 * Emits when the journal should merge its small frames, each of which costs a round trip: while there are many, above
 * all when offline; a journal that fills up does not wait for many. Ticks while frames come: an agent that commits
 * rarely need not wake up for nothing.
 */
export function compactionTicks(
  { stats }: Pick<Journal, 'stats'>,
  committed$: Observable<void>,
  scheduler: SchedulerLike,
): Observable<void> {
  let settled = 0;
  let ticks = 0;
  const look = () => {
    const { pendingFrames } = stats();
    settled = Math.min(settled, pendingFrames);
    return pendingFrames;
  };
  const isDue = (pendingFrames: number) => {
    const few = ticks >= FEW_AT_TICKS;
    return stats().crowded || pendingFrames - settled >= (few ? FEW_FRAMES : MANY_FRAMES);
  };
  const ticking = defer(() => {
    look();
    let idle = 0;
    let before = -1;
    return timer(0, CHECK_MS, scheduler).pipe(
      map(look),
      tap((pendingFrames) => {
        ticks += 1;
        idle = pendingFrames === before ? idle + 1 : 0;
        before = pendingFrames;
      }),
      // By then even a few would have been merged.
      takeWhile(() => idle <= FEW_AT_TICKS, true),
      filter(isDue),
      map((pendingFrames) => {
        ticks = 0;
        settled = pendingFrames;
      }),
    );
  });
  return committed$.pipe(
    startWith(undefined),
    exhaustMap(() => ticking),
  );
}
