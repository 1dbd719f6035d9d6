/**
 * Timers of any length.
 *
 * The platform takes a delay beyond 2^31 − 1 ms (24.8 days) for 1 ms, so that a wait of a month would end at once, over
 * and over. Such a delay is waited for in parts here, in the one place that all timers come from.
 */
import type { SchedulerLike } from 'rxjs';
import { AsyncAction } from 'rxjs/internal/scheduler/AsyncAction';
import { AsyncScheduler } from 'rxjs/internal/scheduler/AsyncScheduler';

/** The longest delay that a timer of the platform keeps, ms. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

class LongAction<T> extends AsyncAction<T> {
  /** Of the delay, once the timer that runs has fired; ms. */
  #left = 0;

  override schedule(state?: T, delay = 0) {
    const part = Math.min(delay, MAX_TIMER_MS);
    this.#left = delay - part;
    return super.schedule(state, part);
  }

  override execute(state: T, delay: number): unknown {
    if (this.#left <= 0) return super.execute(state, delay);
    this.schedule(state, this.#left);
    return undefined;
  }
}

/** `now`: the clock that timers are measured by, ms. */
export function createLongScheduler(now: () => number): SchedulerLike {
  return new AsyncScheduler(LongAction, now);
}
