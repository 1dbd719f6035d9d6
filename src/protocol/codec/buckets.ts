/**
 * Arithmetic of buckets. A sample is a bucket of one; buckets are made from buckets, so that thinning again gives what
 * thinning once would have: counts, minima and maxima exactly, sums but for rounding in the last digits.
 *
 * Buckets are bounded by windows of seqs, of one width for all sources: a window of twice the width holds two whole
 * ones, and a frame can be cut between any two windows, also where the samples of several sources alternate.
 */
import type { BucketColumn, BucketGroup, Column, DataFrame, SampleGroup } from '../frame.ts';
import { addSummary, createStatistics, sumOf } from '../statistics.ts';
import { malformed } from './bytes.ts';
import { scaleOf } from './column.ts';
import { lowerBound } from './reshape.ts';

/** The samples of a data frame as buckets of one. What a note says is not in them. */
export function bucketsOf({ groups }: DataFrame): readonly BucketGroup[] {
  return groups.map(({ schemaRef, seqs, ts, mono, columns }: SampleGroup): BucketGroup => {
    const ones = new Float64Array(seqs.length).fill(1);
    return {
      schemaRef,
      seqs,
      sizes: ones,
      ts,
      spans: new Float64Array(seqs.length),
      mono,
      columns: columns.map((column) => column && bucketColumnOf(column, ones)),
    };
  });
}

/** Shares the arrays of the values wherever it can. */
function bucketColumnOf({ values, present }: Column, ones: Float64Array): BucketColumn {
  const counts = present === null ? ones : Float64Array.from(present, (one) => (one === 0 ? 0 : 1));
  const isNumber = (value: number, row: number) => (counts[row] === 0 || Number.isNaN(value) ? 0 : 1);
  const numbers = values.some(Number.isNaN) ? values.map(isNumber) : counts;
  return { counts, numbers, min: values, max: values, sum: values };
}

/** The groups of consecutive frames, those of one schema joined. Throws FrameError when they do not fit together. */
export function joinBuckets(parts: readonly (readonly BucketGroup[])[]): readonly BucketGroup[] {
  const bySchema = new Map<string, BucketGroup[]>();
  for (const group of parts.flat()) {
    const same = bySchema.get(group.schemaRef);
    if (same === undefined) bySchema.set(group.schemaRef, [group]);
    else same.push(group);
  }
  return [...bySchema.values()].map(join);
}

function join(parts: readonly BucketGroup[]): BucketGroup {
  const [first] = parts;
  if (first === undefined || parts.length === 1) return first as BucketGroup;
  const concat = (arrayOf: (part: BucketGroup) => Float64Array): Float64Array => {
    const all = new Float64Array(parts.reduce((sum, { seqs }) => sum + seqs.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(arrayOf(part), at);
      at += part.seqs.length;
    }
    return all;
  };
  if (parts.some(({ columns }) => columns.length !== first.columns.length)) {
    throw malformed(`join: ${first.schemaRef} with different numbers of columns`);
  }
  const columnOf = (part: BucketGroup, index: number): BucketColumn => {
    const column = part.columns[index];
    if (column === null || column === undefined) throw malformed('join: a column was not decoded');
    return column;
  };
  return {
    schemaRef: first.schemaRef,
    ...figures((name) => concat((part) => part[name])),
    columns: first.columns.map((_, index) =>
      columnFigures((name) => concat((part) => columnOf(part, index)[name])),
    ),
  };
}

type Figure = 'seqs' | 'sizes' | 'ts' | 'spans' | 'mono';
function figures(of: (name: Figure) => Float64Array): Pick<BucketGroup, Figure> {
  return { seqs: of('seqs'), sizes: of('sizes'), ts: of('ts'), spans: of('spans'), mono: of('mono') };
}
function columnFigures(of: (name: keyof BucketColumn) => Float64Array): BucketColumn {
  return { counts: of('counts'), numbers: of('numbers'), min: of('min'), max: of('max'), sum: of('sum') };
}

/** The buckets that begin within `[first, last]`; groups without any are left out. */
export function sliceBuckets(
  groups: readonly BucketGroup[],
  first: number,
  last: number,
): readonly BucketGroup[] {
  return groups.flatMap((group) => {
    const from = lowerBound(group.seqs, first);
    const to = lowerBound(group.seqs, last + 1);
    if (from === to) return [];
    return [
      {
        schemaRef: group.schemaRef,
        ...figures((name) => group[name].subarray(from, to)),
        columns: group.columns.map(
          (column) => column && columnFigures((name) => column[name].subarray(from, to)),
        ),
      },
    ];
  });
}

export type CoarsenOptions = {
  /** Width in seqs. */
  readonly window: number;
  /** Whether buckets also stay apart where time jumps. */
  readonly apart: boolean;
};

/** Joins the buckets of one schema that begin in one window. */
export function coarsen(groups: readonly BucketGroup[], options: CoarsenOptions): readonly BucketGroup[] {
  return groups.map((group) => coarsenGroup(group, startsOf(group, options)));
}

/** Distances beyond so many usual ones are no part of the rhythm: what lies on either side is not averaged. */
const JUMP = 8;
const MIN_JUMP_MS = 1000;
const MAX_PROBES = 31;

/** First row of each new bucket, then the number of rows. */
function startsOf(group: BucketGroup, { window, apart }: CoarsenOptions): readonly number[] {
  const { seqs, ts, spans } = group;
  const rows = seqs.length;
  const gapBefore = (row: number) =>
    (ts[row] as number) - (ts[row - 1] as number) - (spans[row - 1] as number);
  const jump = apart ? Math.max(MIN_JUMP_MS, JUMP * usual(gapBefore, rows)) : Number.POSITIVE_INFINITY;
  const windowOf = (row: number) => Math.floor(((seqs[row] as number) - 1) / window);
  const starts = [0];
  let from = ts[0] as number;
  let to = from + (spans[0] as number);
  for (let row = 1; row < rows; row += 1) {
    const [rowFrom, rowTo] = [ts[row] as number, (ts[row] as number) + (spans[row] as number)];
    const joinedFrom = Math.min(from, rowFrom);
    const joinedTo = Math.max(to, rowTo);
    const isNew =
      windowOf(row) !== windowOf(row - 1) ||
      Math.abs(gapBefore(row)) > jump ||
      !Number.isSafeInteger(joinedTo - joinedFrom);
    if (isNew) starts.push(row);
    from = isNew ? rowFrom : joinedFrom;
    to = isNew ? rowTo : joinedTo;
  }
  starts.push(rows);
  return starts;
}

/** Median of some of the distances. */
function usual(gapBefore: (row: number) => number, rows: number): number {
  const probes: number[] = [];
  const step = Math.max(1, (rows - 1) / MAX_PROBES);
  for (let row = 1; Math.floor(row) < rows; row += step) probes.push(Math.abs(gapBefore(Math.floor(row))));
  return probes.sort((a, b) => a - b)[probes.length >> 1] ?? 0;
}

function coarsenGroup(group: BucketGroup, starts: readonly number[]): BucketGroup {
  const buckets = starts.length - 1;
  const result = figures(() => new Float64Array(buckets));
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    const [start, end] = [starts[bucket] as number, starts[bucket + 1] as number];
    let size = 0;
    let from = Number.POSITIVE_INFINITY;
    let to = Number.NEGATIVE_INFINITY;
    for (let row = start; row < end; row += 1) {
      const at = group.ts[row] as number;
      size += group.sizes[row] as number;
      from = Math.min(from, at);
      to = Math.max(to, at + (group.spans[row] as number));
    }
    result.seqs[bucket] = group.seqs[start] as number;
    result.sizes[bucket] = size;
    result.ts[bucket] = from;
    result.spans[bucket] = to - from;
    result.mono[bucket] = group.mono[start] as number;
  }
  return {
    schemaRef: group.schemaRef,
    ...result,
    columns: group.columns.map((column) => column && coarsenColumn(column, starts)),
  };
}

function coarsenColumn(column: BucketColumn, starts: readonly number[]): BucketColumn {
  const buckets = starts.length - 1;
  const statistics = createStatistics(buckets);
  const { counts, numbers, min, max } = statistics;
  const sum = new Float64Array(buckets);
  const power = powerOf(column);
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    const end = starts[bucket + 1] as number;
    for (let row = starts[bucket] as number; row < end; row += 1) {
      addSummary(statistics, bucket, {
        count: column.counts[row] as number,
        numbers: column.numbers[row] as number,
        min: column.min[row] as number,
        max: column.max[row] as number,
        sum: column.sum[row] as number,
      });
    }
    const isEmpty = numbers[bucket] === 0;
    if (isEmpty) min[bucket] = Number.NaN;
    if (isEmpty) max[bucket] = Number.NaN;
    sum[bucket] = isEmpty ? Number.NaN : rounded(sumOf(statistics, bucket), power);
  }
  return { counts, numbers, min, max, sum };
}

const MAX_PLACES = 15;
/** What rounding may change of a sum: less than its last digits, in which the additions have left noise anyway. */
const NOISE = 1e-13;

/** The power of ten that makes every sum of the column an integer; 0 when there is none. */
function powerOf({ numbers, sum }: BucketColumn): number {
  let power = 1;
  for (let row = 0; row < sum.length; row += 1) {
    if (numbers[row] === 0) continue;
    const value = sum[row] as number;
    if (Math.round(value * power) / power === value) continue;
    const places = scaleOf(value, MAX_PLACES);
    if (places < 0) return 0;
    power = Math.max(power, Number(`1e${places}`));
  }
  return power;
}

/** A sum of decimals is a decimal: without the noise of binary addition it compresses. */
function rounded(sum: number, power: number): number {
  if (power === 0) return sum;
  const near = Math.round(sum * power) / power;
  return Math.abs(near - sum) <= Math.abs(sum) * NOISE ? near : sum;
}
