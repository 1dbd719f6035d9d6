import { Observable, type SchedulerAction, type SchedulerLike } from 'rxjs';
import { requireAtLeast } from './options.ts';

/** Which grid point a sample belongs to. */
export type SampleTick = {
  /** The grid point, in ms of the scheduler's clock. The call itself may come a little later. */
  readonly scheduledAt: number;
  /** Grid points passed over since the last sample because the process was late. */
  readonly skipped: number;
};

/**
 * Takes a sample at every point of a fixed grid: subscription time, then each `periodMs` after it.
 *
 * The grid is computed from its anchor, so delays of single timers never add up. A run that comes late serves the
 * newest grid point that has passed and counts the ones before it as skipped; they are not made up for.
 *
 * ```
 * sampleEvery(3, take, scheduler)   a--b--c--d--
 * the same, busy from 4 to 10       a--b------(d: skipped 1)-e--
 * ```
 *
 * Never completes. A throw of `take` becomes the error. Unsubscribing cancels the timer.
 *
 * @param periodMs distance of grid points, ms; minimum 1
 * @param take makes the value, synchronously
 * @param scheduler timers and their clock
 */
export function sampleEvery<T>(
  periodMs: number,
  take: (tick: SampleTick) => T,
  scheduler: SchedulerLike,
): Observable<T> {
  requireAtLeast('periodMs', periodMs, 1);
  return new Observable<T>((subscriber) => {
    const anchor = scheduler.now();
    let next = 0;
    return scheduler.schedule(function (this: SchedulerAction<unknown>) {
      // A timer may also fire a fraction early; the grid point it was set for still holds.
      const index = Math.max(next, Math.floor((scheduler.now() - anchor) / periodMs));
      const tick = { scheduledAt: anchor + index * periodMs, skipped: index - next };
      next = index + 1;
      let value: T;
      try {
        value = take(tick);
      } catch (error) {
        subscriber.error(error);
        return;
      }
      subscriber.next(value);
      if (!subscriber.closed) {
        this.schedule(undefined, Math.max(0, anchor + next * periodMs - scheduler.now()));
      }
    }, 0);
  });
}
