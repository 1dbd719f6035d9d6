import { expect, it } from 'vitest';
import type { SeqRange } from '../../../protocol/coverage.ts';
import { ackCoverage, coveragePage, MAX_ACK_RANGES } from './answered-coverage.ts';

const ranges = Array.from({ length: 1000 }, (_, index): SeqRange => [index * 10 + 5, index * 10 + 8]);

it('is whole while it is small', () => {
  const few = { contiguous: 2, ranges: ranges.slice(0, 3) };
  expect(ackCoverage(few)).toEqual(few);
});

it('is bounded, and always speaks of the frame that it answers', () => {
  const ack = ackCoverage({ contiguous: 2, ranges }, 9_996);
  expect(ack.ranges).toHaveLength(MAX_ACK_RANGES);
  expect(ack.ranges[0]).toEqual([5, 8]);
  expect(ack.ranges.at(-1)).toEqual([9_995, 9_998]);
});

it('pages name all ranges once, each page the next ones', () => {
  const ranges = Array.from({ length: 300 }, (_, index): [number, number] => [3 + 2 * index, 3 + 2 * index]);
  const coverage = { contiguous: 1, ranges };
  const paged: (readonly [number, number])[] = [];
  let page = coveragePage(coverage);
  paged.push(...page.ack.ranges);
  while (page.more) {
    expect(page.ack.ranges).toHaveLength(MAX_ACK_RANGES);
    page = coveragePage(coverage, paged.at(-1)?.[1]);
    paged.push(...page.ack.ranges);
  }
  expect(paged).toEqual(ranges);
  expect(coveragePage(coverage, 10_000)).toEqual({ ack: { contiguous: 1, ranges: [] }, more: false });
});
