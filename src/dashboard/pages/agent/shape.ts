/** Buckets of the API into what a chart draws. Pure. */
import type { SeriesDocument } from '../../../protocol/api.ts';
import type { Bucket } from '../../../protocol/bucket.ts';
import type { NamedSeries } from './named-series.ts';

const STEPS_MS = [
  10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
  900_000, 1_800_000, 3_600_000,
] as const;

/** Pixels a bucket should have at least. */
const BUCKET_PX = 2;

/** Only in a shorter range is a bucket of less than a second worth its answer, ms. */
const FINE_BELOW_MS = 60_000;

/** The finest step that leaves every bucket at least two pixels wide. */
export function stepFor(rangeMs: number, widthPx: number): number {
  const least = Math.max(rangeMs / Math.max(1, widthPx / BUCKET_PX), rangeMs < FINE_BELOW_MS ? 0 : 1000);
  return STEPS_MS.find((step) => step >= least) ?? 3_600_000;
}

export type Span = { readonly from: number; readonly to: number };

/** Columns for uPlot, aligned with `t`; a row of nulls parts the line at a gap. */
export type Shape = {
  readonly t: readonly number[];
  readonly mean: readonly (number | null)[];
  readonly min: readonly (number | null)[];
  readonly max: readonly (number | null)[];
  /** Where nothing came although something should have. */
  readonly gaps: readonly Span[];
  /** Where only statistics of the samples came, ascending and apart. */
  readonly thinned: readonly Span[];
  readonly latest: { readonly t: number; readonly value: number } | null;
};

export type ShapeOptions = Span & {
  readonly stepMs: number;
  /** When the series began; what lies before it is no gap. Null: unknown, nothing before the first bucket counts. */
  readonly firstTs: number | null;
  /**
   * Draw samples that were thinned over several steps as one point in the middle, as a rate needs it; else as a level.
   */
  readonly middles?: boolean;
};

/** Numbers that JSON cannot carry come as text; a chart has no place for them. */
const drawable = (value: Bucket['mean']): number | null => (typeof value === 'number' ? value : null);

/** The newest samples may still be on their way for this long before their absence is a gap. */
const TRAILING_GRACE_MS = 4000;

export function shapeBuckets(buckets: readonly Bucket[], options: ShapeOptions): Shape {
  const { from, to, stepMs, firstTs } = options;
  const filled = buckets.filter((bucket) => bucket.count > 0 && bucket.t >= from - stepMs && bucket.t < to);
  const apart = widestRegular(filled, stepMs);
  const t: number[] = [];
  const mean: (number | null)[] = [];
  const min: (number | null)[] = [];
  const max: (number | null)[] = [];
  const gaps: Span[] = [];
  let latest: Shape['latest'] = null;
  let previous: number | null = null;
  const push = (at: number, row: Pick<Bucket, 'mean' | 'min' | 'max'> | null) => {
    // Rows that alternate with whole samples may reach beyond the next bucket: time goes on all the same.
    if (at <= (t.at(-1) ?? Number.NEGATIVE_INFINITY)) return;
    t.push(at);
    mean.push(drawable(row?.mean ?? null));
    min.push(drawable(row?.min ?? null));
    max.push(drawable(row?.max ?? null));
  };
  for (const [index, bucket] of filled.entries()) {
    const last = reachOf(bucket, stepMs);
    if (previous !== null && bucket.t - previous > apart) {
      gaps.push({ from: previous + stepMs, to: bucket.t });
      push(previous + stepMs, null);
    }
    if (last > bucket.t && options.middles === true) push(Math.floor((bucket.t + last) / 2), bucket);
    else {
      push(bucket.t, bucket);
      push(Math.min(last, (filled[index + 1]?.t ?? to) - 1), bucket);
    }
    const value = drawable(bucket.mean);
    if (value !== null) latest = { t: bucket.t, value };
    previous = Math.max(previous ?? last, last);
  }
  const [first] = filled;
  if (firstTs !== null) {
    const begin = Math.max(from, firstTs);
    if (first === undefined) gaps.push({ from: begin, to });
    // Samples thinned together with earlier ones than `from` count before it: likely as many as those after them.
    else if (first.t - begin > apart + reachOf(first, stepMs) - first.t)
      gaps.unshift({ from: begin, to: first.t });
  }
  if (previous !== null && to - (previous + stepMs) > Math.max(apart, TRAILING_GRACE_MS))
    gaps.push({ from: previous + stepMs, to });
  const thinned = downsampledSpans(filled, stepMs);
  return { t, mean, min, max, gaps: gaps.filter((gap) => gap.to > gap.from), thinned, latest };
}

/** Start of the last step that a bucket's samples reach to: its own, unless they were thinned together. */
const reachOf = ({ t, until }: Bucket, stepMs: number): number =>
  until === undefined ? t : t + Math.floor((until - t) / stepMs) * stepMs;

/** Neighbours as one. */
function downsampledSpans(filled: readonly Bucket[], stepMs: number): readonly Span[] {
  const spans: { from: number; to: number }[] = [];
  for (const bucket of filled) {
    if (bucket.thinned === undefined) continue;
    const to = reachOf(bucket, stepMs) + stepMs;
    const before = spans.at(-1);
    if (before !== undefined && bucket.t <= before.to) before.to = Math.max(before.to, to);
    else spans.push({ from: bucket.t, to });
  }
  return spans;
}

/**
 * The largest distance of two filled buckets that is still regular. Where buckets hold several samples each, one empty
 * bucket is a gap already; where samples are rarer than buckets, their own rhythm counts.
 */
function widestRegular(filled: readonly Bucket[], stepMs: number): number {
  if (filled.length < 3) return stepMs * 2.5;
  const distances = filled.slice(1).map((bucket, index) => {
    const before = filled[index] ?? bucket;
    return Math.max(0, bucket.t - reachOf(before, stepMs));
  });
  const usual = median(distances);
  const steps = (bucket: Bucket) => (reachOf(bucket, stepMs) - bucket.t) / stepMs + 1;
  const samples = median(filled.map((bucket) => bucket.count / steps(bucket)));
  return usual <= stepMs && samples >= 3 ? stepMs * 1.5 : Math.max(usual, stepMs) * 2.5;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

/** Rows between two nulls: no line reaches them, so that they need a dot to be seen. */
export function isolatedRows(column: readonly (number | null)[]): number[] {
  return column.flatMap((value, row) =>
    value !== null && (column[row - 1] ?? null) === null && (column[row + 1] ?? null) === null ? [row] : [],
  );
}

/** OpenTelemetry's counters of a host, which only ever grow: drawn as their rate. */
const COUNTERS =
  /^(system|container|process)\.(network|disk|paging|cpu)\.(io|packets|errors|dropped|operations|io_time|operation_time|faults|time|merged)$|^system\.processes\.created$/;

export const isCounter = (series: Pick<SeriesDocument, 'name'>): boolean => COUNTERS.test(series.name);

/** Growth a second between filled buckets. Null after a gap and where the counter began again. */
export function toRate(shape: Shape): Shape {
  const rate = shape.mean.map((value, index) => {
    const before = index === 0 ? null : (shape.mean[index - 1] ?? null);
    const seconds = ((shape.t[index] ?? 0) - (shape.t[index - 1] ?? 0)) / 1000;
    if (value === null || before === null || seconds <= 0 || value < before) return null;
    return (value - before) / seconds;
  });
  const last = rate.findLastIndex((value) => value !== null);
  const value = rate[last] ?? null;
  return {
    ...shape,
    mean: rate,
    min: rate,
    max: rate,
    latest: value === null ? null : { t: shape.t[last] ?? 0, value },
  };
}

const PREFERRED: readonly RegExp[] = [
  /^system\.cpu\.utilization$/,
  /^system\.memory\.utilization$/,
  /^system\.cpu\.load_average\.1m/,
  /^sim\.|sensor/,
  /^system\.network\.io\b/,
  /^system\.filesystem\.utilization/,
  /^system\.disk\.io\b/,
  /^hw\.temperature/,
];
const DEFAULT_CHARTS = 6;

/** A sensible few: the host's vital signs and sensors first, loopback never, at most two of one name. */
export function defaultSeries(all: readonly NamedSeries[]): readonly string[] {
  const rank = ({ series }: NamedSeries): number => {
    const index = PREFERRED.findIndex((pattern) => pattern.test(series));
    return index < 0 ? PREFERRED.length : index;
  };
  const names = new Map<string, number>();
  return all
    .filter(({ attributes }) => !Object.values(attributes).includes('lo'))
    .toSorted((a, b) => rank(a) - rank(b))
    .filter(({ name }) => {
      const taken = names.get(name) ?? 0;
      names.set(name, taken + 1);
      return taken < 2;
    })
    .slice(0, DEFAULT_CHARTS)
    .map(({ chart }) => chart);
}
