/**
 * First and last sample time of each schema in a frame. Left out are samples that are dated ahead of HQ's clock, see
 * clock-ahead.ts, and before the year 0, which only a clock or a unit that is wrong gives: one would stand for good.
 */
import { decodeData, decodeDownsampled, readHeader } from '../../protocol/frame-codec.ts';
import type { SchemaRef } from '../../protocol/sample.ts';
import { LEAST_WRITTEN_TS } from '../../protocol/written-time.ts';
import { aheadIn } from './clock-ahead.ts';
import { widen } from './episodes.ts';
import type { FrameRecord } from './frame-record.ts';

export type Spans = Map<SchemaRef, readonly [first: number, last: number]>;

type Times = {
  readonly schemaRef: SchemaRef;
  readonly seqs: ArrayLike<number>;
  readonly ts: ArrayLike<number>;
  /** Of buckets: how long each is, ms. */
  readonly spans?: ArrayLike<number>;
};

/** Decodes the frame, of either kind. Whether any of it was ahead. Throws FrameError. */
export function widenByFrame(spans: Spans, record: FrameRecord, maxAheadMs: number): boolean {
  const isDownsampled = readHeader(record.frame).kind === 'thinned';
  const { groups } = (isDownsampled ? decodeDownsampled : decodeData)(record.frame, {
    columns: () => 'none',
  });
  return widenByGroups(spans, groups, { record, maxAheadMs });
}

/** Whether any of them was ahead. */
export function widenByGroups(
  spans: Spans,
  groups: readonly Times[],
  { record, maxAheadMs }: { readonly record: FrameRecord; readonly maxAheadMs: number },
): boolean {
  let hasAhead = false;
  const isAheadAt = aheadIn(record, readHeader(record.frame).tsMax, maxAheadMs);
  for (const { schemaRef, seqs, ts, spans: lengths } of groups) {
    let first = Number.POSITIVE_INFINITY;
    let last = Number.NEGATIVE_INFINITY;
    for (let row = 0; row < ts.length; row += 1) {
      const begin = ts[row] ?? 0;
      const end = begin + (lengths?.[row] ?? 0);
      if (isAheadAt(seqs[row] ?? 0, end)) {
        hasAhead = true;
        continue;
      }
      if (begin < LEAST_WRITTEN_TS) continue;
      if (begin < first) first = begin;
      if (end > last) last = end;
    }
    if (first <= last) widen(spans, schemaRef, [first, last]);
  }
  return hasAhead;
}
