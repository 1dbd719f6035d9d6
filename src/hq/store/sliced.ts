/** Long work in short slices, so that the event loop stays free for acks. */
import { Observable } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';

/** Longest time at a stretch, ms. One step beyond it may finish. */
export const SLICE_MS = 5;

/**
 * Runs the generator that `work` makes, giving way to the event loop whenever a `yield` finds the slice used up; emits
 * what it returns, then completes. `pauseMs` is the time left to others after a slice, 0 unless given. A throw is the
 * error. Unsubscribing ends it at the next `yield`.
 */
export function sliced<T>(
  work: () => Generator<void, T>,
  clock: Pick<Clock, 'precise' | 'scheduler'>,
  pauseMs: () => number = () => 0,
): Observable<T> {
  return new Observable<T>((subscriber) => {
    const steps = work();
    return clock.scheduler.schedule(function slice() {
      const end = clock.precise() + SLICE_MS;
      try {
        do {
          const step = steps.next();
          if (step.done === true) {
            subscriber.next(step.value);
            subscriber.complete();
            return;
          }
        } while (clock.precise() < end);
      } catch (error) {
        subscriber.error(error);
        return;
      }
      this.schedule(undefined, pauseMs());
    }, 0);
  });
}
