/**
 * Statistics of one series of one source by steps of time, from the raw frames; only the columns needed are decoded.
 *
 * Of a thinned frame each row stands for several samples and cannot be told apart any more: it counts whole in the
 * bucket of its earliest ts. So every value counts in one bucket, and min, max and mean of a range are right but for
 * the rows at its two ends; when the step is shorter than a row's span, the buckets after it stay empty, and `until`
 * says how far the row reaches.
 */

import type { Bucket } from '../../protocol/api.ts';
import { type Coverage, cover, covers, EMPTY_COVERAGE } from '../../protocol/coverage.ts';
import type { BucketColumn, BucketGroup, Column, SampleGroup } from '../../protocol/frame.ts';
import { type DecodeOptions, decodeData, decodeDownsampled, readHeader } from '../../protocol/frame-codec.ts';
import { jsonNumber } from '../../protocol/json-number.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { QueryContext } from './query-context.ts';
import type { TimeRange } from './store.ts';
import { framesBetween, loadFrame, segmentOf } from './time-index.ts';

/** More buckets than this are refused: nobody can look at them. */
export const MAX_BUCKETS = 100_000;

/** More buckets than HQ gives at once; the fault is the caller's. */
export class TooManyBucketsError extends Error {
  override readonly name = 'TooManyBucketsError';
}

/** Bucket i holds the samples with `from + i × stepMs ≤ ts < from + (i + 1) × stepMs`, cut at `to`. */
export function* queryBuckets(
  context: QueryContext,
  query: { agent: string; source: string; series: string; stepMs: number } & TimeRange,
): Generator<void, readonly Bucket[]> {
  const { agent, source, series, stepMs, from, to } = query;
  const length = Math.max(0, Math.ceil((to - from) / stepMs));
  if (!(length <= MAX_BUCKETS)) {
    throw new TooManyBucketsError(
      `${length} buckets, at most ${MAX_BUCKETS}: choose a larger step or a shorter range`,
    );
  }
  const tally = createTally(length);
  // A frame that is merged while this runs holds samples that were counted before: each seq counts once.
  const counted = new Map<Epoch, Coverage>();
  for (const ref of framesBetween(context, agent, query)) {
    if (ref === null) {
      yield;
      continue;
    }
    const seen = counted.get(ref.epoch) ?? EMPTY_COVERAGE;
    if (covers(seen, ref.seq, ref.seq)) continue;
    const frame = loadFrame(context, agent, ref);
    if (frame === undefined) continue;
    let next = seen;
    for (const { first, last } of frame.segments) next = cover(next, first, last);
    counted.set(ref.epoch, next);
    try {
      const positionOf = (ref: string) => {
        const schema = context.schemas.get(agent, ref);
        return schema?.source !== source ? -1 : context.schemas.position(schema, series);
      };
      const options: DecodeOptions = {
        columns: (ref) => {
          const position = positionOf(ref);
          return position < 0 ? 'none' : [position];
        },
      };
      const header = readHeader(frame.frame);
      const [segment] = frame.segments;
      const last = header.firstSeq + header.count - 1;
      const whole =
        frame.segments.length === 1 && segment?.first === header.firstSeq && segment.last === last;
      const fresh = !overlaps(seen, header.firstSeq, last);
      const isOwn = (seq: number) => segmentOf(frame, seq) !== undefined && !covers(seen, seq, seq);
      const owns = whole && fresh ? null : isOwn;
      if (header.kind === 'thinned') {
        for (const group of decodeDownsampled(frame.frame, options).groups) {
          const column = group.columns[positionOf(group.schemaRef)];
          if (column !== undefined && column !== null) addBuckets(tally, group, column, query, owns);
        }
      } else {
        for (const group of decodeData(frame.frame, options).groups) {
          const column = group.columns[positionOf(group.schemaRef)];
          if (column !== undefined && column !== null) addColumn(tally, group, column, query, owns);
        }
      }
    } catch (error) {
      context.onBadFrame(agent, frame.epoch, frame.seq, error);
    }
    yield;
  }
  return Array.from({ length }, (_, index) => bucketOf(tally, index, { t: from + index * stepMs, stepMs }));
}

function overlaps(coverage: Coverage, first: number, last: number): boolean {
  if (coverage.contiguous >= first) return true;
  return coverage.ranges.some(([start, end]) => start <= last && first <= end);
}

type Tally = {
  readonly counts: Float64Array;
  readonly finite: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly sum: Float64Array;
  /** Of values that could add up to more than a double holds, in units of {@link HUGE_UNIT}. */
  readonly hugeSum: Float64Array;
  /** Of the counts, how many came thinned. */
  readonly thinned: Float64Array;
  /** Latest time that a thinned row in the bucket reaches to. */
  readonly until: Float64Array;
};
function createTally(length: number): Tally {
  return {
    counts: new Float64Array(length),
    finite: new Float64Array(length),
    min: new Float64Array(length).fill(Number.POSITIVE_INFINITY),
    max: new Float64Array(length).fill(Number.NEGATIVE_INFINITY),
    sum: new Float64Array(length),
    hugeSum: new Float64Array(length),
    thinned: new Float64Array(length),
    until: new Float64Array(length).fill(Number.NEGATIVE_INFINITY),
  };
}

function addColumn(
  tally: Tally,
  group: SampleGroup,
  { values, present }: Column,
  { from, to, stepMs }: TimeRange & { stepMs: number },
  owns: ((seq: number) => boolean) | null,
): void {
  for (let row = 0; row < group.ts.length; row += 1) {
    const ts = group.ts[row] ?? Number.NaN;
    if (!(ts >= from && ts < to) || (present !== null && present[row] !== 1)) continue;
    if (owns !== null && !owns(group.seqs[row] ?? 0)) continue;
    const value = values[row] ?? Number.NaN;
    const index = Math.floor((ts - from) / stepMs);
    tally.counts[index] = (tally.counts[index] ?? 0) + 1;
    // NaN says that there was no number: it counts as a sample and spoils no mean.
    if (Number.isNaN(value)) continue;
    tally.finite[index] = (tally.finite[index] ?? 0) + 1;
    tally.min[index] = Math.min(tally.min[index] ?? value, value);
    tally.max[index] = Math.max(tally.max[index] ?? value, value);
    if (Math.abs(value) < HUGE) tally.sum[index] = (tally.sum[index] ?? 0) + value;
    else tally.hugeSum[index] = (tally.hugeSum[index] ?? 0) + value / HUGE_UNIT;
  }
}

/** `owns` is asked for the first seq of a row: with it the row counts, or does not. */
function addBuckets(
  tally: Tally,
  group: BucketGroup,
  { counts, numbers, min, max, sum }: BucketColumn,
  { from, to, stepMs }: TimeRange & { stepMs: number },
  owns: ((seq: number) => boolean) | null,
): void {
  for (let row = 0; row < group.ts.length; row += 1) {
    const ts = group.ts[row] ?? Number.NaN;
    const count = counts[row] ?? 0;
    if (!(ts >= from && ts < to) || count === 0) continue;
    if (owns !== null && !owns(group.seqs[row] ?? 0)) continue;
    const index = Math.floor((ts - from) / stepMs);
    tally.counts[index] = (tally.counts[index] ?? 0) + count;
    tally.thinned[index] = (tally.thinned[index] ?? 0) + count;
    tally.until[index] = Math.max(tally.until[index] ?? ts, ts + (group.spans[row] ?? 0));
    const there = numbers[row] ?? 0;
    if (there === 0) continue;
    tally.finite[index] = (tally.finite[index] ?? 0) + there;
    tally.min[index] = Math.min(tally.min[index] ?? Number.NaN, min[row] ?? Number.NaN);
    tally.max[index] = Math.max(tally.max[index] ?? Number.NaN, max[row] ?? Number.NaN);
    tally.sum[index] = (tally.sum[index] ?? 0) + (sum[row] ?? Number.NaN);
  }
}

/** Beyond any sum of so many values that one answer can have. */
const HUGE = 2 ** 960;
const HUGE_UNIT = 2 ** 64;

function meanOf({ sum, hugeSum }: Tally, index: number, numbers: number): number {
  const usual = (sum[index] ?? 0) / numbers;
  const huge = hugeSum[index] ?? 0;
  return huge === 0 ? usual : (huge / numbers) * HUGE_UNIT + usual;
}

function bucketOf(tally: Tally, index: number, { t, stepMs }: { t: number; stepMs: number }): Bucket {
  const count = tally.counts[index] ?? 0;
  const numbers = tally.finite[index] ?? 0;
  const thinned = tally.thinned[index] ?? 0;
  if (count === 0) return { t, count, min: null, max: null, mean: null };
  const bucket: Bucket =
    numbers === 0
      ? { t, count, min: 'NaN', max: 'NaN', mean: 'NaN' }
      : {
          t,
          count,
          // Of statistics the sign of a zero says nothing.
          min: jsonNumber((tally.min[index] ?? Number.NaN) + 0),
          max: jsonNumber((tally.max[index] ?? Number.NaN) + 0),
          mean: jsonNumber(meanOf(tally, index, numbers) + 0),
        };
  if (thinned === 0) return bucket;
  const until = tally.until[index] ?? t;
  return until < t + stepMs ? { ...bucket, thinned } : { ...bucket, thinned, until };
}
