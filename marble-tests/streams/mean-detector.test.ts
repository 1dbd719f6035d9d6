import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/platform/random.ts';
import { type AnomalyDetector, createAnomalyDetector, createMeanDetector } from '../../src/streams/index.ts';
import { inColumns, oneByOne, savedAndRestored } from './detectors.ts';

const options = { threshold: 3, clearThreshold: 1.5, warmUp: 2, window: 4, minStddev: 1 };
const create = (count: number): AnomalyDetector =>
  createMeanDetector(count, createAnomalyDetector({ ...options, method: 'mean_zscore' }));

describe('createMeanDetector', () => {
  it('judges means, tells them with their last value, and dates them by their first', () => {
    const found = oneByOne(create(3), [5, 5, 5, 4, 5, 6, 5, 5, 5, 9, 9, 12, 5, 5, 5]);
    expect(found).toMatchObject([
      [11, { state: 'open', startTs: 9000, peakValue: 10, peakZ: 5, mean: 5, endTs: null }],
      [14, { state: 'closed', startTs: 9000, endTs: 12_000 }],
    ]);
    expect(found[0]?.[1].judgement).toEqual({ method: 'mean_zscore', threshold: 3 });
  });

  it('does not see what a mean hides', () => {
    expect(oneByOne(create(3), [5, 5, 5, 5, 5, 5, 5, 12, 5, 5, 5, 5])).toEqual([]);
  });

  it('leaves values out that are not finite', () => {
    const { NaN: none, POSITIVE_INFINITY: infinite } = Number;
    expect(oneByOne(create(2), [5, none, 5, 5, infinite, 5, 9, none, none, 9])).toMatchObject([
      [9, { state: 'open', startTs: 6000, peakValue: 9 }],
    ]);
  });

  it('has means of values whose sum is not finite', () => {
    expect(oneByOne(create(4), Array<number>(40).fill(1e308))).toEqual([]);
  });

  it('finds in columns, and over a restart, what it finds value by value', () => {
    const random = seededRandom(5);
    const values = Array.from({ length: 4000 }, (_, index) =>
      index % 11 === 0 ? Number.NaN : random.next() ** 5 * 20 + (index % 500 > 430 ? 30 : 0),
    );
    const expected = oneByOne(create(7), values);
    expect(expected.length).toBeGreaterThan(5);
    expect(inColumns(create(7), values)).toEqual(expected);
    expect(savedAndRestored(() => create(7), values)).toEqual(expected);
  });

  it('refuses counts that are none', () => {
    expect(() => create(0)).toThrow(/count/);
    expect(() => create(1.5)).toThrow(/count/);
  });
});
