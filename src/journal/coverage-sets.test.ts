import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Coverage, cover, EMPTY_COVERAGE } from '../protocol/coverage.ts';
import { decodeCoverage, encodeCoverage, uniteWithin } from './coverage-sets.ts';

const LAST = 60;
const seqs = fc.uniqueArray(fc.integer({ min: 1, max: LAST }), { maxLength: LAST });
const coverageOf = (members: readonly number[]): Coverage =>
  members.reduce((coverage, seq) => cover(coverage, seq, seq), EMPTY_COVERAGE);

describe('coverages as sets', () => {
  it('unite, cut off at the end, in the one form that equal sets have', () => {
    fc.assert(
      fc.property(seqs, seqs, fc.integer({ min: 0, max: LAST }), (a, b, last) => {
        const expected = coverageOf([...a, ...b].filter((seq) => seq <= last));
        expect(uniteWithin(coverageOf(a), coverageOf(b), last)).toEqual(expected);
      }),
    );
  });

  it('round-trip through their stored form, up to the highest seq', () => {
    const coverage: Coverage = {
      contiguous: 7,
      ranges: [
        [9, 12],
        [2 ** 47, 2 ** 48 - 1],
      ],
    };
    expect(decodeCoverage(encodeCoverage(coverage))).toEqual(coverage);
    expect(decodeCoverage(encodeCoverage(EMPTY_COVERAGE))).toEqual(EMPTY_COVERAGE);
  });
});
