/**
 * Makes rollups: of decoded frames, and of parts of one block. A column at a time, so that a frame of few bytes and
 * many values takes little memory.
 */
import type { BucketColumn, BucketGroup, Column, SampleGroup } from '../../protocol/frame.ts';
import {
  addToBin,
  binOf,
  createSketch,
  mergeSketch,
  type QuantileSketch,
} from '../../protocol/quantile-sketch.ts';
import { addSummary, addValue, createStatistics, mergeStatistics } from '../../protocol/statistics.ts';
import { RESOLUTIONS, type Resolution } from './resolutions.ts';
import { createPartWriter, type PartWriter, type RollupPart, type RollupStatistics } from './rollup-part.ts';

/** The rows of a group that count, all of one schema. */
export type RollupRows = {
  readonly group: Omit<SampleGroup, 'columns'> | Omit<BucketGroup, 'columns'>;
  readonly columns: number;
  /** A column, in the order of the schema; asked for once each. */
  readonly column: (index: number) => Column | BucketColumn | null;
  /** Whether the row with this (first) seq counts; null: all do. */
  readonly owns: ((seq: number) => boolean) | null;
};

export type BlockPart = {
  readonly resolution: Resolution;
  readonly block: number;
  readonly bytes: Uint8Array;
};

const FINEST = RESOLUTIONS[0];

export const createRollupStatistics = (length: number): RollupStatistics => ({
  ...createStatistics(length),
  reach: new Float64Array(length),
});

const isBucketGroup = (group: RollupRows['group']): group is Omit<BucketGroup, 'columns'> => 'sizes' in group;

/** Adds a bucket to another; `shift`: how much later than the other it starts, ms. */
export function mergeRollups(
  [into, at]: readonly [RollupStatistics, number],
  [from, other]: readonly [RollupStatistics, number],
  shift: number,
): void {
  if (from.thinned[other] !== 0)
    into.reach[at] = Math.max(into.reach[at] as number, (from.reach[other] as number) + shift);
  mergeStatistics(into, at, from, other);
}

/** Buckets of one resolution that get something. */
type Level = {
  readonly resolution: Resolution;
  /** Bucket n starts at n × stepMs; ascending. */
  readonly buckets: Float64Array;
  /** Samples of each. */
  readonly samples: Float64Array;
  /** For each bucket of the finer level its place in this one. */
  readonly places: Int32Array;
  readonly blocks: readonly BlockOf[];
};
type BlockOf = { readonly block: number; readonly start: number; readonly writer: PartWriter };

/** Parts of all blocks that the rows touch, but of those that `isKept` leaves out. Gives way after each column. */
export function* rollUp(
  rows: readonly RollupRows[],
  isKept: (resolution: Resolution, block: number) => boolean,
): Generator<void, readonly BlockPart[]> {
  const [first] = rows;
  if (first === undefined) return [];
  const placed = rows.map((one) => ({ ...one, bucketOf: bucketsOfRows(one) }));
  const numbers = new Set<number>();
  for (const { bucketOf } of placed)
    for (const bucket of bucketOf) if (!Number.isNaN(bucket)) numbers.add(bucket);
  const buckets = Float64Array.from(numbers).sort();
  if (buckets.length === 0) return [];
  const placeOf = new Map([...buckets].map((bucket, place) => [bucket, place]));
  const samples = new Float64Array(buckets.length);
  const places = placed.map(({ group, bucketOf }) =>
    Int32Array.from(bucketOf, (bucket, row) => {
      const place = placeOf.get(bucket) ?? -1;
      if (place >= 0)
        samples[place] =
          (samples[place] as number) + (isBucketGroup(group) ? (group.sizes[row] as number) : 1);
      return place;
    }),
  );
  const levels = levelsOf(buckets, samples, isKept);
  const { columns } = first;
  for (let column = 0; column < columns; column += 1) {
    const finest = createRollupStatistics(buckets.length);
    const minutes = levels[1];
    const sketches = minutes === undefined ? [] : Array.from(minutes.buckets, createSketch);
    const target = { statistics: finest, sketches, minutes: minutes?.places ?? new Int32Array(0) };
    for (const [index, { group, column: columnOf }] of placed.entries()) {
      const values = columnOf(column);
      const at = places[index] as Int32Array;
      if (values === null) continue;
      if ('values' in values) addValues(target, values, at);
      else if (isBucketGroup(group)) addBuckets(target, group, values, at);
    }
    writeLevels(levels, finest, sketches);
    yield;
  }
  return levels.flatMap(({ resolution, blocks }) =>
    blocks.map(({ block, writer }) => ({ resolution, block, bytes: writer.finish() })),
  );
}

/** Bucket of the finest level for each row; NaN for one that does not count. */
function bucketsOfRows({ group, owns }: RollupRows): Float64Array {
  return group.ts.map((ts, row) =>
    owns === null || owns(group.seqs[row] as number) ? Math.floor(ts / FINEST.stepMs) : Number.NaN,
  );
}

function levelsOf(
  finest: Float64Array,
  samplesOfFinest: Float64Array,
  isKept: (resolution: Resolution, block: number) => boolean,
): readonly Level[] {
  const levels: Level[] = [];
  let [buckets, samples, step] = [finest, samplesOfFinest, FINEST.stepMs as number];
  for (const resolution of RESOLUTIONS) {
    const factor = resolution.stepMs / step;
    const wide: number[] = [];
    const counts: number[] = [];
    const places = Int32Array.from(buckets, (bucket, index) => {
      const own = Math.floor(bucket / factor);
      if (wide.at(-1) !== own) {
        wide.push(own);
        counts.push(0);
      }
      counts[counts.length - 1] = (counts.at(-1) ?? 0) + (samples[index] as number);
      return wide.length - 1;
    });
    [buckets, samples, step] = [Float64Array.from(wide), Float64Array.from(counts), resolution.stepMs];
    const blocks = blocksOf(resolution, buckets, samples).filter(({ block }) => isKept(resolution, block));
    levels.push({ resolution, buckets, samples, places, blocks });
  }
  return levels;
}

function blocksOf({ stepMs, blockMs }: Resolution, buckets: Float64Array, samples: Float64Array): BlockOf[] {
  const perBlock = blockMs / stepMs;
  const blocks: BlockOf[] = [];
  for (let start = 0; start < buckets.length; ) {
    const block = Math.floor((buckets[start] as number) / perBlock);
    let end = start + 1;
    while (end < buckets.length && Math.floor((buckets[end] as number) / perBlock) === block) end += 1;
    const offsets = buckets.slice(start, end).map((bucket) => bucket - block * perBlock);
    blocks.push({ block, start, writer: createPartWriter(offsets, samples.slice(start, end)) });
    start = end;
  }
  return blocks;
}

type Target = {
  readonly statistics: RollupStatistics;
  readonly sketches: readonly QuantileSketch[];
  /** For each bucket of the statistics the place of its sketch. */
  readonly minutes: Int32Array;
};

function addValues({ statistics, sketches, minutes }: Target, column: Column, places: Int32Array): void {
  const { values, present } = column;
  for (let row = 0; row < places.length; row += 1) {
    const place = places[row] as number;
    if (place < 0 || (present !== null && present[row] !== 1)) continue;
    const value = values[row] as number;
    addValue(statistics, place, value);
    if (Number.isNaN(value)) continue;
    const sketch = sketches[minutes[place] as number];
    if (sketch !== undefined) addToBin(sketch, binOf(value), 1);
  }
}

function addBuckets(
  { statistics, sketches, minutes }: Target,
  { ts, spans }: Pick<BucketGroup, 'ts' | 'spans'>,
  { counts, numbers, min, max, sum }: BucketColumn,
  places: Int32Array,
): void {
  for (let row = 0; row < places.length; row += 1) {
    const place = places[row] as number;
    const count = counts[row] as number;
    if (place < 0 || count === 0) continue;
    addSummary(statistics, place, {
      count,
      numbers: numbers[row] as number,
      min: min[row] as number,
      max: max[row] as number,
      sum: sum[row] as number,
    });
    const from = ts[row] as number;
    const reach = from + (spans[row] as number) - Math.floor(from / FINEST.stepMs) * FINEST.stepMs;
    statistics.reach[place] = Math.max(statistics.reach[place] as number, reach);
    // Of what came thinned no quantile is known.
    const sketch = sketches[minutes[place] as number];
    if (sketch !== undefined && numbers[row] !== 0) sketch.bins = null;
  }
}

/** Each level is made from the one before. */
function writeLevels(
  levels: readonly Level[],
  finest: RollupStatistics,
  minuteSketches: readonly QuantileSketch[],
): void {
  let statistics = finest;
  let sketches: readonly QuantileSketch[] = [];
  let last: Level | null = null;
  for (const level of levels) {
    const { resolution, buckets, places, blocks } = level;
    if (last !== null) {
      const wider = createRollupStatistics(buckets.length);
      for (let index = 0; index < places.length; index += 1) {
        const place = places[index] as number;
        const shift =
          (last.buckets[index] as number) * last.resolution.stepMs -
          (buckets[place] as number) * resolution.stepMs;
        mergeRollups([wider, place], [statistics, index], shift);
      }
      sketches = last.resolution.hasSketches ? widerSketches(level, sketches) : minuteSketches;
      statistics = wider;
    }
    for (const { start, writer } of blocks)
      writer.add(statistics, start, resolution.hasSketches ? sketches : null);
    last = level;
  }
}

function widerSketches(
  { buckets, places }: Level,
  sketches: readonly QuantileSketch[],
): readonly QuantileSketch[] {
  const wider = Array.from(buckets, createSketch);
  for (const [index, sketch] of sketches.entries()) {
    const into = wider[places[index] as number];
    if (into !== undefined) mergeSketch(into, sketch);
  }
  return wider;
}

/** One part with what several of a block hold. Gives way after each column. */
export function* mergeParts(
  parts: readonly RollupPart[],
  { hasSketches }: Resolution,
): Generator<void, Uint8Array> {
  const offsets = Float64Array.from(new Set(parts.flatMap((part) => [...part.offsets]))).sort();
  const placeOf = new Map([...offsets].map((offset, place) => [offset, place]));
  const samples = new Float64Array(offsets.length);
  const places = parts.map((part) =>
    Int32Array.from(part.offsets, (offset, row) => {
      const place = placeOf.get(offset) ?? 0;
      samples[place] = (samples[place] as number) + (part.samples[row] as number);
      return place;
    }),
  );
  const writer = createPartWriter(offsets, samples);
  const columns = Math.max(...parts.map((part) => part.columns));
  for (let column = 0; column < columns; column += 1) {
    const merged = createRollupStatistics(offsets.length);
    const sketches = hasSketches ? Array.from(offsets, createSketch) : null;
    for (const [index, part] of parts.entries()) {
      const own = createRollupStatistics(part.offsets.length);
      part.read(column, own);
      const at = places[index] as Int32Array;
      for (let row = 0; row < at.length; row += 1) mergeRollups([merged, at[row] as number], [own, row], 0);
      if (sketches === null) continue;
      const theirs = Array.from(at, (place) => sketches[place] ?? createSketch());
      part.readSketches(column, theirs);
    }
    writer.add(merged, 0, sketches);
    yield;
  }
  return writer.finish();
}
