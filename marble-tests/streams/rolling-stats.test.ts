import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/platform/random.ts';
import { createRollingStats, type Stats } from '../../src/streams/index.ts';

/** The textbook's two passes over the last `window` of `values`. */
function twoPass(values: readonly number[], window: number): Omit<Stats, 'count'> {
  const last = values.slice(-window);
  const origin = last[0] ?? 0;
  const mean = origin + last.reduce((sum, value) => sum + (value - origin), 0) / last.length;
  const squares = last.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const variance = last.length < 2 ? 0 : squares / (last.length - 1);
  return { mean, variance, stddev: Math.sqrt(variance) };
}

const figures = ({ count, mean, variance }: Stats) => ({ count, mean, variance });

describe('createRollingStats', () => {
  it('knows nothing before the first value', () => {
    const { count, mean, variance, stddev } = createRollingStats(5);
    expect({ count, mean, variance, stddev }).toEqual({ count: 0, mean: 0, variance: 0, stddev: 0 });
  });

  it.each([
    ['around zero', () => 0],
    ['on an offset of 1e9', () => 1e9],
    ['on a steep ramp', (index: number) => index * 1e3],
    ['with a spike of 1e12 now and then', (index: number) => (index % 997 === 0 ? 1e12 : 0)],
  ])('agrees with two passes %s', (_name, offset) => {
    const random = seededRandom(7);
    const stats = createRollingStats(50);
    const values: number[] = [];
    for (let index = 0; index < 5000; index += 1) {
      values.push(offset(index) + random.next() * 2 - 1);
      stats.push(values[index] as number);
      const reference = twoPass(values.slice(-50), 50);
      expect(Math.abs(stats.mean - reference.mean)).toBeLessThanOrEqual(
        Math.abs(reference.mean) * 1e-12 + 1e-9,
      );
      expect(Math.abs(stats.stddev - reference.stddev)).toBeLessThanOrEqual(reference.stddev * 1e-4 + 1e-9);
    }
  });

  // 10^7 updates in a test; the error at 10^8 is the same, since what gathers is cleared every 16 windows.
  it('is as exact after ten million updates as after a few', () => {
    const random = seededRandom(11);
    const window = 300;
    const stats = createRollingStats(window);
    const last: number[] = [];
    const total = 10_000_000;
    for (let index = 0; index < total; index += 1) {
      const value = 1e9 + random.next();
      stats.push(value);
      if (index >= total - window) last.push(value);
    }
    const reference = twoPass(last, window);
    expect(stats.count).toBe(window);
    expect(stats.mean).toBeCloseTo(reference.mean, 5);
    expect(stats.stddev / reference.stddev).toBeCloseTo(1, 5);
  });

  it('forgets a huge spike wholly once it has left the window', () => {
    const stats = createRollingStats(10);
    for (const value of [1e100, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2]) stats.push(value);
    expect(stats.mean).toBe(1.5);
    expect(stats.variance).toBeCloseTo(10 / 36, 12);
  });

  it('gives exactly 0 for a constant window after lively times', () => {
    const stats = createRollingStats(8);
    for (let index = 0; index < 100; index += 1) stats.push(Math.sin(index) * 1e6);
    for (let index = 0; index < 8; index += 1) stats.push(0.1);
    expect(stats.mean).toBe(0.1);
    expect(stats.stddev).toBe(0);
  });

  it('ignores what is not a finite number of sensible size', () => {
    const stats = createRollingStats(4);
    for (const value of [1, Number.NaN, Number.POSITIVE_INFINITY, 3, Number.NEGATIVE_INFINITY, 1e200])
      stats.push(value);
    expect(stats.count).toBe(2);
    expect(stats.mean).toBe(2);
    expect(stats.variance).toBe(2);
  });

  it('starts again after clear', () => {
    const stats = createRollingStats(3);
    for (const value of [5, 6, 7, 8]) stats.push(value);
    stats.clear();
    for (const value of [1, 3]) stats.push(value);
    expect(stats).toMatchObject({ count: 2, mean: 2, variance: 2 });
  });

  it.each([
    ['noise', (random: () => number) => random() * 2 - 1],
    ['whole numbers that repeat', (random: () => number) => Math.floor(random() * 4)],
    ['a constant, and now and then another', (random: () => number) => (random() < 0.02 ? random() : 7)],
    ['magnitudes from nothing to infinity', (random: () => number) => 10 ** (random() * 620 - 310)],
    ['no numbers between numbers', (random: () => number) => (random() < 0.1 ? Number.NaN : random())],
    ['spikes', (random: () => number) => (random() < 0.01 ? 1e12 : random())],
  ])('pushes at once what pushes one by one would: %s', (_name, next) => {
    const { next: chance } = seededRandom(11);
    for (const threshold of [0.5, 3]) {
      const [atOnce, oneByOne] = [createRollingStats(20), createRollingStats(20)];
      const values = Float64Array.from({ length: 5000 }, () => next(chance));
      let quick = 0;
      for (let from = 0; from < values.length; ) {
        const end = atOnce.pushWithin(values, from, threshold);
        quick += end - from;
        for (; from < end; from += 1) {
          const { mean, stddev, count } = oneByOne;
          const value = values[from] as number;
          expect(count).toBe(20);
          if (stddev > 0) expect(Math.abs((value - mean) / stddev)).toBeLessThanOrEqual(threshold);
          oneByOne.push(value);
        }
        expect(figures(atOnce)).toEqual(figures(oneByOne));
        const left = values[from];
        if (left === undefined) break;
        atOnce.push(left);
        oneByOne.push(left);
        from += 1;
      }
      expect(quick).toBeGreaterThan(0);
    }
  });

  it('refuses a window that is no whole number of values', () => {
    expect(() => createRollingStats(0)).toThrow(RangeError);
    expect(() => createRollingStats(2.5)).toThrow(RangeError);
  });
});
