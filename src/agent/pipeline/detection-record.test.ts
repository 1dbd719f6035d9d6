import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeDetection, encodeDetection } from './detection-record.ts';

const seriesArb = fc.array(
  fc.record({
    id: fc.string({ unit: 'binary', maxLength: 40 }),
    learned: fc.array(fc.double(), { maxLength: 40 }).map((numbers) => Float64Array.from(numbers)),
  }),
  { maxLength: 8 },
);

describe('the record of what detection has learned', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(fc.integer(), seriesArb, (at, series) => {
        const { bytes, left } = encodeDetection(at, series, 1e6);
        expect(left).toBe(0);
        const record = decodeDetection(bytes);
        expect(record?.at).toBe(at === 0 ? 0 : at);
        expect(record?.series.map(({ id }) => id)).toEqual(series.map(({ id }) => id.toWellFormed()));
        expect(record?.series.map(({ learned }) => learned)).toEqual(series.map(({ learned }) => learned));
      }),
    );
  });

  it('stays within its bound, and says how many series it leaves out', () => {
    fc.assert(
      fc.property(seriesArb, fc.integer({ min: 100, max: 1000 }), (series, maxBytes) => {
        const { bytes, left } = encodeDetection(1.7e12, series, maxBytes);
        expect(bytes.length).toBeLessThanOrEqual(maxBytes);
        expect(decodeDetection(bytes)?.series).toHaveLength(series.length - left);
      }),
    );
  });

  it('is nothing when it is damaged', () => {
    const { bytes } = encodeDetection(1, [{ id: 'a', learned: Float64Array.of(1, 2) }], 1000);
    for (let length = 0; length < bytes.length; length += 1)
      expect(decodeDetection(bytes.subarray(0, length))).toBeNull();
    expect(decodeDetection(Uint8Array.of(...bytes, 0))).toBeNull();
    const flipped = bytes.map((byte, index) => (index === 6 ? byte ^ 1 : byte));
    expect(decodeDetection(flipped)).toBeNull();
  });
});
