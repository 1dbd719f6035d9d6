import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addSummary,
  addValue,
  createStatistics,
  deviationOf,
  HUGE,
  meanOf,
  mergeStatistics,
  type Statistics,
  sumOf,
} from './statistics.ts';

const TOLERANCE = 1e-12;

function statisticsOf(values: readonly number[]): Statistics {
  const statistics = createStatistics(1);
  for (const value of values) addValue(statistics, 0, value);
  return statistics;
}

function mergedOf(parts: readonly Statistics[]): Statistics {
  const all = createStatistics(1);
  for (const part of parts) mergeStatistics(all, 0, part, 0);
  return all;
}

/** Exact sums of doubles that are whole multiples of 2^−20. */
const UNIT = 2 ** -20;
const exactSum = (values: readonly number[]): number =>
  Number(values.reduce((sum, value) => sum + BigInt(value / UNIT), 0n)) * UNIT;
/** Sum of squared deviations, exactly: (n Σx² − (Σx)²) ÷ n. */
function exactSquares(values: readonly number[]): number {
  const count = BigInt(values.length);
  let [sum, squares] = [0n, 0n];
  for (const value of values) {
    const whole = BigInt(value / UNIT);
    sum += whole;
    squares += whole * whole;
  }
  return (Number(count * squares - sum * sum) / values.length) * UNIT * UNIT;
}

const gridArb = fc.integer({ min: -(2 ** 50), max: 2 ** 50 }).map((whole) => whole * UNIT);
const closeArb = fc
  .tuple(gridArb, fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 60 }))
  .map(([base, offsets]) => offsets.map((offset) => base + offset * UNIT));
const valuesArb = fc.oneof(fc.array(gridArb, { minLength: 1, maxLength: 60 }), closeArb);
const anyArb = fc.array(fc.double(), { minLength: 1, maxLength: 40 });

/** The values in parts of a random size, in a random order. */
const partsOf = <T>(arb: fc.Arbitrary<T[]>) =>
  arb.chain((values) =>
    fc
      .tuple(
        fc.shuffledSubarray(values, { minLength: values.length }),
        fc.array(fc.integer({ min: 1, max: 9 })),
      )
      .map(([shuffled, sizes]) => {
        const parts: T[][] = [];
        for (let at = 0; at < shuffled.length; ) {
          const size = sizes[parts.length] ?? 5;
          parts.push(shuffled.slice(at, at + size));
          at += size;
        }
        return { values, parts };
      }),
  );

function expectClose(actual: number, expected: number, scale: number) {
  if (Number.isFinite(expected)) expect(Math.abs(actual - expected)).toBeLessThanOrEqual(TOLERANCE * scale);
  else expect(actual).toBe(expected);
}

describe('statistics', () => {
  it('have the exact sum, extremes and squared deviations, in whatever order and parts values come', () => {
    fc.assert(
      fc.property(partsOf(valuesArb), ({ values, parts }) => {
        const size = values.reduce((sum, value) => sum + Math.abs(value), 0);
        for (const statistics of [statisticsOf(values), mergedOf(parts.map(statisticsOf))]) {
          expect(statistics.counts[0]).toBe(values.length);
          expect(statistics.numbers[0]).toBe(values.length);
          expect(statistics.min[0]).toBe(Math.min(...values));
          expect(statistics.max[0]).toBe(Math.max(...values));
          expectClose(sumOf(statistics, 0), exactSum(values), size);
          expectClose(meanOf(statistics, 0), exactSum(values) / values.length, size);
          const squares = exactSquares(values);
          expect(statistics.squares[0]).toBeGreaterThanOrEqual(0);
          expectClose(statistics.squares[0] as number, squares, squares);
        }
      }),
    );
  });

  it('keep a small deviation of large values', () => {
    const values = Array.from({ length: 600 }, (_, index) => 2 ** 40 + (index % 3) * UNIT);
    const exact = Math.sqrt(exactSquares(values) / values.length);
    expectClose(deviationOf(statisticsOf(values), 0), exact, exact);
  });

  it('say the same of any doubles, in whatever order and parts they come', () => {
    fc.assert(
      fc.property(partsOf(anyArb), ({ values, parts }) => {
        const [one, other] = [statisticsOf(values), mergedOf(parts.map(statisticsOf))];
        for (const name of ['counts', 'numbers', 'min', 'max'] as const)
          expect(one[name]).toEqual(other[name]);
        const numbers = values.filter((value) => !Number.isNaN(value));
        const scale = Math.max(...numbers.map(Math.abs), Number.MIN_VALUE);
        expectClose(meanOf(one, 0), meanOf(other, 0), scale);
        const [deviation, otherDeviation] = [deviationOf(one, 0), deviationOf(other, 0)];
        expect(Number.isNaN(deviation)).toBe(Number.isNaN(otherDeviation));
        if (!Number.isNaN(deviation)) expectClose(deviation, otherDeviation, scale);
      }),
    );
  });

  it('count NaN and nothing else of it', () => {
    const statistics = statisticsOf([Number.NaN, 3, Number.NaN]);
    expect([statistics.counts[0], statistics.numbers[0], meanOf(statistics, 0)]).toEqual([3, 1, 3]);
    expect(meanOf(statisticsOf([Number.NaN]), 0)).toBeNaN();
  });

  it('have an infinite mean with one infinity, none with both, and a finite one of finite values', () => {
    const { POSITIVE_INFINITY: infinity, MAX_VALUE: largest } = Number;
    expect(meanOf(statisticsOf([1, infinity]), 0)).toBe(infinity);
    expect(meanOf(statisticsOf([1, -infinity]), 0)).toBe(-infinity);
    expect(meanOf(statisticsOf([-infinity, infinity]), 0)).toBeNaN();
    expect(meanOf(statisticsOf([largest, largest, largest]), 0)).toBe(largest);
    expect(deviationOf(statisticsOf([1, infinity]), 0)).toBeNaN();
    expect(deviationOf(statisticsOf([HUGE, HUGE]), 0)).toBeNaN();
  });

  it('know of what came thinned all but the deviation', () => {
    const statistics = statisticsOf([1, 2]);
    addSummary(statistics, 0, { count: 5, numbers: 4, min: -1, max: 9, sum: 13 });
    expect([statistics.counts[0], statistics.numbers[0], statistics.thinned[0]]).toEqual([7, 6, 5]);
    expect([statistics.min[0], statistics.max[0], sumOf(statistics, 0)]).toEqual([-1, 9, 16]);
    expect(deviationOf(statistics, 0)).toBeNaN();
    expect(deviationOf(mergedOf([statisticsOf([1, 2, 3]), statistics]), 0)).toBeNaN();
  });

  it('have a finite mean of finite values whose sum no double holds, also where they came thinned', () => {
    const summary = (values: readonly number[]) => ({
      ...{ count: values.length, numbers: values.length, min: Math.min(...values), max: Math.max(...values) },
      sum: values.reduce((sum, value) => sum + value, 0),
    });
    const most = Number.MAX_VALUE;
    for (const [sign, values] of [
      [1, [most, most, most]],
      [-1, [-most, -most, -most]],
    ] as const) {
      const statistics = createStatistics(1);
      addSummary(statistics, 0, summary(values));
      expect(meanOf(statistics, 0)).toBe(sign * most);
    }
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
    const huge = fc.double({ noNaN: true, noDefaultInfinity: true, min: most / 8 });
    const some = fc.array(
      fc.oneof(
        finite,
        huge,
        huge.map((value) => -value),
      ),
      { minLength: 1, maxLength: 9 },
    );
    fc.assert(
      fc.property(fc.array(some, { minLength: 1, maxLength: 4 }), (parts) => {
        const statistics = createStatistics(1);
        for (const part of parts) addSummary(statistics, 0, summary(part));
        const all = parts.flat();
        expect(meanOf(statistics, 0)).toBeGreaterThanOrEqual(Math.min(...all));
        expect(meanOf(statistics, 0)).toBeLessThanOrEqual(Math.max(...all));
        for (const value of all) addValue(statistics, 0, value);
        expect(Number.isFinite(meanOf(statistics, 0))).toBe(true);
      }),
    );
  });

  it('take thinned values without numbers as no numbers', () => {
    const statistics = statisticsOf([1, 3]);
    const nothing = Number.NaN;
    addSummary(statistics, 0, { count: 2, numbers: 0, min: nothing, max: nothing, sum: nothing });
    expect([statistics.counts[0], meanOf(statistics, 0), deviationOf(statistics, 0)]).toEqual([4, 2, 1]);
  });
});
