/**
 * Counts values by row of an answer and step of time, in one flat table: its cells are in the order of rows, then
 * steps. What counts in one cell is merged exactly, whichever frame, series or agent it came of.
 */
import type { Bucket, BucketStatistic } from '../../protocol/bucket.ts';
import { jsonNumber } from '../../protocol/json-number.ts';
import {
  addToSketch,
  createSketch,
  type QuantileSketch,
  quantilesOf,
} from '../../protocol/quantile-sketch.ts';
import {
  addSummary,
  addValue,
  createStatistics,
  deviationOf,
  meanOf,
  type Statistics,
  type Summary,
} from '../../protocol/statistics.ts';
import type { BucketTable } from './store.ts';

/** What one cell takes in memory, bytes, and what it takes besides where percentiles are wanted, roughly. */
export const CELL_BYTES = 80;
export const SKETCH_BYTES = 1_000;

export type Tally = {
  /** Cells of a row. */
  readonly length: number;
  readonly statistics: Statistics;
  /** Latest time that a thinned row in the cell reaches to. */
  readonly until: Float64Array;
  /** By cell; null: nobody asks for percentiles. */
  readonly sketches: (QuantileSketch | undefined)[] | null;
};

export type TallySize = { readonly rows: number; readonly length: number; readonly percentiles: boolean };

export function createTally({ rows, length, percentiles }: TallySize): Tally {
  const cells = rows * length;
  return {
    length,
    statistics: createStatistics(cells),
    until: new Float64Array(cells).fill(Number.NEGATIVE_INFINITY),
    sketches: percentiles ? new Array<QuantileSketch | undefined>(cells) : null,
  };
}

export function countValue({ statistics, sketches }: Tally, cell: number, value: number): void {
  addValue(statistics, cell, value);
  if (sketches === null) return;
  let sketch = sketches[cell];
  if (sketch === undefined) {
    sketch = createSketch();
    sketches[cell] = sketch;
  }
  addToSketch(sketch, value);
}

/** Counts what a thinned row stands for. `until`: time of the last of its samples. */
export function countDownsampled(
  { statistics, until }: Tally,
  cell: number,
  row: Summary & { readonly until: number },
): void {
  addSummary(statistics, cell, row);
  until[cell] = Math.max(until[cell] ?? row.until, row.until);
}

/** The table of a tally to which nothing is added any more. */
export function tableOf(tally: Tally, { from, stepMs }: { from: number; stepMs: number }): BucketTable {
  const { length } = tally;
  return {
    length,
    bucket: (row, index, wanted) =>
      bucketOf(tally, row * length + index, { t: from + index * stepMs, stepMs, wanted }),
  };
}

type BucketOf = {
  readonly t: number;
  readonly stepMs: number;
  readonly wanted: ReadonlySet<BucketStatistic>;
};
type BucketFields = { -readonly [Name in keyof Bucket]: Bucket[Name] };

function bucketOf(tally: Tally, cell: number, { t, stepMs, wanted }: BucketOf): Bucket {
  const { counts, thinned } = tally.statistics;
  const count = counts[cell] ?? 0;
  const bucket: BucketFields = { t, count };
  addFigures(bucket, tally, cell, wanted);
  const downsampled = thinned[cell] ?? 0;
  if (downsampled === 0) return bucket;
  bucket.thinned = downsampled;
  const until = tally.until[cell] ?? t;
  if (until >= t + stepMs) bucket.until = until;
  return bucket;
}

const SHARES = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;
type Percentile = keyof typeof SHARES;
const PERCENTILES = Object.keys(SHARES) as readonly Percentile[];

export const wantsPercentiles = (wanted: ReadonlySet<BucketStatistic>): boolean =>
  PERCENTILES.some((name) => wanted.has(name));

function addFigures(
  bucket: BucketFields,
  { statistics, sketches }: Tally,
  cell: number,
  wanted: ReadonlySet<BucketStatistic>,
): void {
  const { counts, numbers, thinned, min, max } = statistics;
  const isEmpty = counts[cell] === 0;
  // Of statistics the sign of a zero says nothing.
  const figure = (value: number) =>
    isEmpty ? null : jsonNumber(numbers[cell] === 0 ? Number.NaN : value + 0);
  const [least, most] = [min[cell] ?? Number.NaN, max[cell] ?? Number.NaN];
  if (wanted.has('min')) bucket.min = figure(least);
  if (wanted.has('max')) bucket.max = figure(most);
  if (wanted.has('mean')) bucket.mean = figure(meanOf(statistics, cell));
  // Of thinned values neither can be known.
  const isKnown = thinned[cell] === 0;
  if (wanted.has('stddev')) {
    bucket.stddev = isKnown ? figure(deviationOf(statistics, cell)) : null;
    if (!isKnown) bucket.approx = true;
  }
  if (!wantsPercentiles(wanted)) return;
  const sketch = isKnown ? sketches?.[cell] : undefined;
  const quantiles = sketch === undefined ? [] : quantilesOf(sketch, Object.values(SHARES));
  for (const [index, name] of PERCENTILES.entries()) {
    if (!wanted.has(name)) continue;
    const quantile = numbers[cell] === 0 && isKnown ? Number.NaN : (quantiles[index] ?? null);
    bucket[name] = quantile === null ? null : figure(Math.min(most, Math.max(least, quantile)));
    if (quantile === null && !isEmpty) bucket.approx = true;
  }
}
