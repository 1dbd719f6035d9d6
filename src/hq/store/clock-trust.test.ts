import { describe, expect, it } from 'vitest';
import { createClockTrust } from './clock-trust.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

describe('trust in the wall clock', () => {
  const setUp = (newestTs: number | null) => {
    const time = { wall: 100 * YEAR, mono: 0 };
    const leaps: number[] = [];
    const trust = createClockTrust(
      { now: () => time.wall, precise: () => time.mono },
      newestTs,
      (aheadMs) => void leaps.push(aheadMs),
    );
    const pass = (ms: number, leap = 0) => {
      time.mono += ms;
      time.wall += ms + leap;
      return trust.holds();
    };
    return { pass, leaps };
  };

  it.each([
    ['in a new store', null],
    ['soon after the newest arrival', 100 * YEAR - HOUR],
    ['after an arrival that is yet to come', 101 * YEAR],
  ])('is there at once %s', (_when, newestTs) => {
    const { pass, leaps } = setUp(newestTs);
    expect([pass(1_000), pass(30 * DAY), pass(1_000, HOUR), pass(1_000, -10 * YEAR)]).toEqual(
      Array.from({ length: 4 }, () => true),
    );
    expect(leaps).toEqual([]);
  });

  it('goes for a day of the monotonic clock after each leap ahead', () => {
    const { pass, leaps } = setUp(null);
    expect([pass(1_000), pass(1_000, 10 * YEAR), pass(23 * HOUR), pass(HOUR, 2 * DAY)]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect([pass(23 * HOUR), pass(HOUR)]).toEqual([false, true]);
    expect(leaps).toEqual([10 * YEAR, 2 * DAY]);
  });

  it('is missing at the start when the newest arrival lies far back', () => {
    const { pass } = setUp(90 * YEAR);
    expect([pass(1_000), pass(DAY)]).toEqual([false, true]);
  });
});
