/**
 * Which seqs of an epoch are accounted for. Invariants: `ranges` are sorted, inclusive, do not touch each other
 * and lie above `contiguous + 1`; so two equal sets have one form.
 */
import { z } from 'zod';
import { MAX_SEQ } from './sample.ts';

const seqSchema = z.number().int().min(0).max(MAX_SEQ);
export type SeqRange = readonly [first: number, last: number];

export const coverageSchema = z.object({
  /** Highest seq with nothing missing at or below it; 0 when seq 1 is missing. */
  contiguous: seqSchema,
  /** Inclusive ranges beyond `contiguous`. */
  ranges: z.array(z.tuple([seqSchema, seqSchema])).max(100_000),
});
export type Coverage = { readonly contiguous: number; readonly ranges: readonly SeqRange[] };

export const EMPTY_COVERAGE: Coverage = { contiguous: 0, ranges: [] };

/** Adds `[first, last]`; returns the same object when nothing is new. Costs O(log n + overlapped) plus a copy. */
export function cover(coverage: Coverage, first: number, last: number): Coverage {
  if (last < first || last <= coverage.contiguous) return coverage;
  const { ranges } = coverage;
  // First range that could merge: its end reaches first - 1.
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle] as SeqRange)[1] < first - 1) low = middle + 1;
    else high = middle;
  }
  let start = first;
  let end = last;
  let until = low;
  while (until < ranges.length && (ranges[until] as SeqRange)[0] <= end + 1) {
    const range = ranges[until] as SeqRange;
    if (range[0] <= first && range[1] >= last) return coverage;
    start = Math.min(start, range[0]);
    end = Math.max(end, range[1]);
    until += 1;
  }
  if (start <= coverage.contiguous + 1) return { contiguous: end, ranges: ranges.slice(until) };
  return {
    contiguous: coverage.contiguous,
    ranges: [...ranges.slice(0, low), [start, end], ...ranges.slice(until)],
  };
}

/** The parts of `[first, last]` that `coverage` lacks, in order. */
export function missingWithin(coverage: Coverage, first: number, last: number): SeqRange[] {
  const missing: SeqRange[] = [];
  let next = Math.max(first, coverage.contiguous + 1);
  for (const [start, end] of coverage.ranges) {
    if (next > last || start > last) break;
    if (end < next) continue;
    if (start > next) missing.push([next, start - 1]);
    next = end + 1;
  }
  if (next <= last) missing.push([next, last]);
  return missing;
}

export function covers(coverage: Coverage, first: number, last: number): boolean {
  return missingWithin(coverage, first, last).length === 0;
}

export function coveredCount(coverage: Coverage): number {
  return coverage.ranges.reduce((sum, [start, end]) => sum + end - start + 1, coverage.contiguous);
}

export function unite(a: Coverage, b: Coverage): Coverage {
  let united = cover(a, 1, b.contiguous);
  for (const [start, end] of b.ranges) united = cover(united, start, end);
  return united;
}

/** What of `a` is not in `b`, in order. */
export function subtract(a: Coverage, b: Coverage): SeqRange[] {
  const rest: SeqRange[] = [];
  const holes = rangesOf(b);
  let at = 0;
  for (const [start, end] of rangesOf(a)) {
    let next = start;
    while (at < holes.length && (holes[at]?.[1] ?? 0) < next) at += 1;
    for (let index = at; index < holes.length && next <= end; index += 1) {
      const [holeStart, holeEnd] = holes[index] ?? [end + 1, end];
      if (holeStart > end) break;
      if (holeStart > next) rest.push([next, holeStart - 1]);
      next = Math.max(next, holeEnd + 1);
    }
    if (next <= end) rest.push([next, end]);
  }
  return rest;
}

/** With the part that has nothing missing below it. */
export function rangesOf({ contiguous, ranges }: Coverage): readonly SeqRange[] {
  return contiguous === 0 ? ranges : [[1, contiguous], ...ranges];
}

/** What is left of it without these ranges, which are sorted and do not overlap. */
export function without(coverage: Coverage, ranges: readonly SeqRange[]): Coverage {
  const left = subtract(coverage, { contiguous: 0, ranges });
  const [first] = left;
  return first?.[0] === 1 ? { contiguous: first[1], ranges: left.slice(1) } : { contiguous: 0, ranges: left };
}

/** How many seqs there are in ranges that do not overlap. */
export function countOf(ranges: readonly SeqRange[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}
