import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Coverage,
  countOf,
  cover,
  coverageSchema,
  coveredCount,
  covers,
  EMPTY_COVERAGE,
  missingWithin,
  subtract,
  unite,
  without,
} from './coverage.ts';

const UNIVERSE = 60;
const rangeArb = fc
  .tuple(fc.integer({ min: 1, max: UNIVERSE }), fc.nat(12))
  .map(([first, length]) => [first, Math.min(UNIVERSE, first + length)] as const);
const rangesArb = fc.array(rangeArb, { maxLength: 30 });

type Ranges = readonly (readonly [number, number])[];

function coverageOf(ranges: Ranges): Coverage {
  return ranges.reduce((coverage, [first, last]) => cover(coverage, first, last), EMPTY_COVERAGE);
}

/** The model: simply all seqs. */
function seqsOf(ranges: Ranges): Set<number> {
  return new Set(
    ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index)),
  );
}

function listed(coverage: Coverage): number[] {
  return [...seqsOf([[1, coverage.contiguous], ...coverage.ranges])].sort((a, b) => a - b);
}

describe('coverage', () => {
  it('holds exactly the seqs that were put in, in whatever order', () => {
    fc.assert(
      fc.property(rangesArb, (ranges) => {
        const coverage = coverageOf(ranges);
        const model = seqsOf(ranges);
        expect(listed(coverage)).toEqual([...model].sort((a, b) => a - b));
        expect(coveredCount(coverage)).toBe(model.size);
        expect(coverageSchema.safeParse(coverage).success).toBe(true);
      }),
    );
  });

  it('has one form: sorted ranges apart from each other and from the contiguous part', () => {
    fc.assert(
      fc.property(rangesArb, (ranges) => {
        const coverage = coverageOf(ranges);
        let end = coverage.contiguous;
        for (const [first, last] of coverage.ranges) {
          expect(first).toBeGreaterThan(end + 1);
          expect(last).toBeGreaterThanOrEqual(first);
          end = last;
        }
        expect(coverageOf([...ranges].reverse())).toEqual(coverage);
      }),
    );
  });

  it('gives the same object back when nothing is new', () => {
    fc.assert(
      fc.property(rangesArb, (ranges) => {
        const coverage = coverageOf(ranges);
        for (const [first, last] of ranges) expect(cover(coverage, first, last)).toBe(coverage);
      }),
    );
  });

  it('tells what is missing', () => {
    fc.assert(
      fc.property(rangesArb, rangeArb, (ranges, [first, last]) => {
        const coverage = coverageOf(ranges);
        const model = seqsOf(ranges);
        const missing = missingWithin(coverage, first, last);
        const expected = [...seqsOf([[first, last]])].filter((seq) => !model.has(seq));
        expect([...seqsOf(missing)]).toEqual(expected);
        expect(covers(coverage, first, last)).toBe(expected.length === 0);
      }),
    );
  });

  it('unites to the union', () => {
    fc.assert(
      fc.property(rangesArb, rangesArb, (a, b) => {
        expect(unite(coverageOf(a), coverageOf(b))).toEqual(coverageOf([...a, ...b]));
      }),
    );
  });

  it('ignores an empty range', () => {
    expect(cover(EMPTY_COVERAGE, 5, 4)).toBe(EMPTY_COVERAGE);
    expect(missingWithin(EMPTY_COVERAGE, 5, 4)).toEqual([]);
  });

  it('subtract to what only the first holds, and are left without it', () => {
    fc.assert(
      fc.property(rangesArb, rangesArb, (a, b) => {
        const gone = seqsOf(b);
        const expected = [...seqsOf(a)].filter((seq) => !gone.has(seq));
        const left = subtract(coverageOf(a), coverageOf(b));
        expect(seqsOf(left)).toEqual(new Set(expected));
        expect(countOf(left)).toBe(expected.length);
        const taken = subtract(coverageOf(a), coverageOf(left));
        expect(without(coverageOf(a), taken)).toEqual(coverageOf(left));
      }),
    );
  });
});
