import { from } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type Scored, zScore } from '../../src/streams/index.ts';
import { describeCases } from '../marbles.ts';

const options = { window: 4, warmUp: 2, minStddev: 0 };

describe('zScore', () => {
  describeCases<number, Scored>(
    () => zScore(options),
    {
      inputs: { a: 1, b: 3, c: 6 },
      outputs: {
        a: { value: 1, z: null, mean: 0, stddev: 0 },
        b: { value: 3, z: null, mean: 1, stddev: 0 },
        c: { value: 6, z: 4 / Math.sqrt(2), mean: 2, stddev: Math.sqrt(2) },
      },
    },
    {
      never: { source: '-', expected: '-', subscription: '^' },
      empty: { source: '|', expected: '|', subscription: '(^!)' },
      single: { source: '-a|', expected: '-a|', subscription: '^-!' },
      many: { source: '-a-bc|', expected: '-a-bc|', subscription: '^----!' },
      error: { source: '-a-#', expected: '-a-#', subscription: '^--!' },
      'early unsubscribe': { source: '-a-b', expected: '-a-', subscription: '^-!', unsubscribe: '--!' },
    },
  );

  const scores = (values: readonly number[], given = options) => {
    const seen: (number | null)[] = [];
    from(values)
      .pipe(zScore(given))
      .subscribe(({ z }) => seen.push(z));
    return seen;
  };

  it('divides by the floor when the window hardly varies', () => {
    expect(scores([5, 5, 5, 6], { ...options, minStddev: 0.5 })).toEqual([null, null, 0, 2]);
  });

  it('gives no score where the deviation is 0', () => {
    expect(scores([5, 5, 5, 6])).toEqual([null, null, null, null]);
  });

  it('gives no score to a value that is not finite, and does not let it into the window', () => {
    expect(scores([1, 3, Number.NaN, Number.POSITIVE_INFINITY, 2])).toEqual([null, null, null, null, 0]);
  });
});
