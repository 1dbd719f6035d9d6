/**
 * Whether frames have been waiting for their commits without a break for so long that what runs behind them must yield.
 * Group commit asks for the next append before the last one is done with, so a moment without any means that its queue
 * was empty.
 */
import { defer, finalize, type MonoTypeOperatorFunction } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';

/** A queue that was empty within this time is no overload, ms. */
const HIGH_AFTER_MS = 1_000;

/** Left to the others after each slice of work meanwhile, ms. */
const PAUSE_MS = 20;

export type Backpressure = {
  /** Counts an append while it runs. */
  readonly counted: <T>() => MonoTypeOperatorFunction<T>;
  readonly high: () => boolean;
  /** How long work behind is to pause after each slice, ms. */
  readonly pauseMs: () => number;
};

export function createBackpressure(clock: Pick<Clock, 'precise'>): Backpressure {
  let running = 0;
  let since = 0;
  const high = () => running > 0 && clock.precise() - since > HIGH_AFTER_MS;
  return {
    counted: () => (source) =>
      defer(() => {
        if (running === 0) since = clock.precise();
        running += 1;
        return source.pipe(
          finalize(() => {
            running -= 1;
          }),
        );
      }),
    high,
    pauseMs: () => (high() ? PAUSE_MS : 0),
  };
}
