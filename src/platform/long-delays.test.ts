import { timer } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLongScheduler, MAX_TIMER_MS } from './long-delays.ts';

const DAY_MS = 86_400_000;
/** What `timer` takes for no second time. */
const NEVER_AGAIN = -1;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** How often a timer has fired after each of these times. */
function fires(due: number, every: number, times: readonly number[]): number[] {
  const scheduler = createLongScheduler(() => performance.now());
  let count = 0;
  const running = timer(due, every, scheduler).subscribe(() => {
    count += 1;
  });
  let at = 0;
  const counts = times.map((time) => {
    vi.advanceTimersByTime(time - at);
    at = time;
    return count;
  });
  running.unsubscribe();
  expect(vi.getTimerCount()).toBe(0);
  return counts;
}

describe('timers of any length', () => {
  it.each([MAX_TIMER_MS - 1, MAX_TIMER_MS, MAX_TIMER_MS + 1, 30 * DAY_MS, 20_000 * DAY_MS])(
    'fire once, after %d ms and not before',
    (due) => {
      expect(fires(due, NEVER_AGAIN, [DAY_MS, due - 1, due, due + 60 * DAY_MS])).toEqual([0, 0, 1, 1]);
    },
  );

  it('repeat after long and short waits alike', () => {
    const every = 30 * DAY_MS;
    expect(fires(0, every, [0, every - 1, every, 3 * every])).toEqual([1, 1, 2, 4]);
    expect(fires(every, 1000, [every - 1, every, every + 2000])).toEqual([0, 1, 3]);
  });

  it('wake nobody while they wait', () => {
    const scheduler = createLongScheduler(() => performance.now());
    const started = vi.spyOn(globalThis, 'setInterval');
    const running = timer(100 * DAY_MS, scheduler).subscribe();
    vi.advanceTimersByTime(99 * DAY_MS);
    expect(started.mock.calls.length).toBeLessThanOrEqual(5);
    expect(started.mock.calls.every(([, ms = 0]) => ms <= MAX_TIMER_MS)).toBe(true);
    running.unsubscribe();
  });
});
