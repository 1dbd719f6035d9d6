import { firstValueFrom, timer } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createSystemClock } from './clock.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the system clock', () => {
  it('never goes back in its monotonic times, and keeps mono in whole milliseconds', () => {
    const clock = createSystemClock();
    let lastMono = clock.mono();
    let lastPrecise = clock.precise();
    for (let count = 0; count < 100_000; count += 1) {
      const mono = clock.mono();
      const precise = clock.precise();
      if (mono < lastMono || precise < lastPrecise || !Number.isInteger(mono)) {
        expect.fail(`went from ${lastMono}, ${lastPrecise} to ${mono}, ${precise}`);
      }
      lastMono = mono;
      lastPrecise = precise;
    }
    expect(lastPrecise).toBeGreaterThan(0);
  });

  it('shows jumps of the wall clock in now alone', () => {
    const clock = createSystemClock();
    const before = { now: clock.now(), mono: clock.mono(), timers: clock.scheduler.now() };
    const wall = Date.now;
    vi.spyOn(Date, 'now').mockImplementation(() => wall() + 86_400_000);
    expect(clock.now() - before.now).toBeGreaterThanOrEqual(86_400_000);
    expect(clock.mono() - before.mono).toBeLessThan(60_000);
    expect(clock.scheduler.now() - before.timers).toBeLessThan(60_000);
  });

  it('agrees between two clocks of one boot', () => {
    const [one, other] = [createSystemClock(), createSystemClock()];
    expect(other.bootId).toBe(one.bootId);
    expect(Math.abs(other.mono() - one.mono())).toBeLessThan(1000);
  });

  it('runs timers on its scheduler, measured by the scheduler itself', async () => {
    const { scheduler } = createSystemClock();
    const start = scheduler.now();
    await firstValueFrom(timer(20, scheduler));
    // Timers of the platform may fire a fraction of a millisecond early.
    expect(scheduler.now() - start).toBeGreaterThan(18);
  });

  it('cancels a timer that is unsubscribed', async () => {
    const { scheduler } = createSystemClock();
    let fired = false;
    timer(5, scheduler)
      .subscribe(() => {
        fired = true;
      })
      .unsubscribe();
    await firstValueFrom(timer(15, scheduler));
    expect(fired).toBe(false);
  });
});
