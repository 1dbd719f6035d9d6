import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader } from './codec/bytes.ts';
import {
  addToSketch,
  createSketch,
  encodeSketch,
  LEAST,
  MAX_BINS,
  mergeSketch,
  type QuantileSketch,
  quantilesOf,
  readSketch,
} from './quantile-sketch.ts';

const SHARES = [0, 0.05, 0.5, 0.95, 0.99, 1];

function sketchOf(values: readonly number[]): QuantileSketch {
  const sketch = createSketch();
  for (const value of values) addToSketch(sketch, value);
  return sketch;
}

function mergedOf(sketches: readonly QuantileSketch[]): QuantileSketch {
  const all = createSketch();
  for (const sketch of sketches) mergeSketch(all, sketch);
  return all;
}

/** By nearest rank. */
function exactQuantile(values: readonly number[], share: number): number | null {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((one, other) => one - other);
  return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] ?? null;
}

const valuesArb = fc.array(fc.oneof(fc.double(), fc.double({ min: 20, max: 100 })), { maxLength: 100 });

describe('the quantile sketch', () => {
  it('is within 1 % of the exact quantiles', () => {
    fc.assert(
      fc.property(valuesArb, (values) => {
        for (const [index, quantile] of quantilesOf(sketchOf(values), SHARES).entries()) {
          const exact = exactQuantile(values, SHARES[index] ?? 0);
          if (exact === null || quantile === null || !Number.isFinite(exact)) expect(quantile).toBe(exact);
          else if (Math.abs(exact) < LEAST) expect(quantile).toBe(0);
          else expect(Math.abs(quantile - exact)).toBeLessThanOrEqual(0.01 * Math.abs(exact));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is the same however values are split over sketches and these are merged', () => {
    fc.assert(
      fc.property(fc.array(valuesArb), (parts) => {
        const sketches = parts.map(sketchOf);
        const whole = encodeSketch(sketchOf(parts.flat()));
        expect(encodeSketch(mergedOf(sketches))).toEqual(whole);
        expect(encodeSketch(mergedOf(sketches.toReversed()))).toEqual(whole);
        const [first, ...rest] = sketches;
        if (first !== undefined) expect(encodeSketch(mergedOf([mergedOf(rest), first]))).toEqual(whole);
      }),
    );
  });

  it('comes back from its bytes', () => {
    fc.assert(
      fc.property(valuesArb, (values) => {
        const bytes = encodeSketch(sketchOf(values));
        const reader = new ByteReader(bytes);
        const back = createSketch();
        readSketch(reader, back);
        expect(reader.remaining).toBe(0);
        expect(back.bins).toEqual(sketchOf(values).bins);
      }),
    );
  });

  it('gives up its quantiles, and keeps to that, where it would need too many bins', () => {
    const wide = (from: number) =>
      sketchOf(Array.from({ length: MAX_BINS / 2 + 1 }, (_, i) => 1.03 ** (i + from)));
    const [low, high] = [wide(0), wide(MAX_BINS)];
    expect(quantilesOf(low, [0.5])).not.toEqual([null]);
    for (const order of [
      [low, high],
      [high, low],
    ]) {
      const both = mergedOf(order);
      addToSketch(both, 1);
      const back = createSketch();
      readSketch(new ByteReader(encodeSketch(both)), back);
      expect(quantilesOf(back, [0, 1])).toEqual([null, null]);
    }
  });

  it('takes 39 to 106 bytes for 60 values of a usual series', () => {
    const values = Array.from({ length: 60 }, (_, index) => 50 + 12 * Math.sin(index / 4));
    expect(encodeSketch(sketchOf(values)).length).toBeLessThanOrEqual(106);
  });
});
