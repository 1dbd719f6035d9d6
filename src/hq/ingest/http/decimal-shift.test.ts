import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimalShift } from './decimal-shift.ts';

describe('moving the decimal point', () => {
  it.each([
    [12.3, -2, 0.123],
    [0.7, -2, 0.007],
    [100, -2, 1],
    [1e-7, -2, 1e-9],
    [1e21, -2, 1e19],
    [0.3, 6, 300_000],
    [0, -2, 0],
  ])('%f by %i is %f', (value, places, expected) => {
    expect(decimalShift(value, places)).toBe(expected);
  });

  it('never gives more digits than it was given', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10 ** 9 }),
        fc.integer({ min: 0, max: 4 }),
        (digits, decimals) => {
          const value = Number(`${digits}e-${decimals}`);
          expect(decimalShift(value, -2)).toBe(Number(`${digits}e-${decimals + 2}`));
        },
      ),
    );
  });
});
