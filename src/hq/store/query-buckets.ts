/**
 * Statistics of series by steps of time: from rollups where these fit the steps, and from the raw frames. The frames of
 * an agent are read once for all of its series, and only their columns are decoded.
 *
 * Of a thinned frame each row stands for several samples and cannot be told apart any more: it counts whole in the
 * bucket of its earliest ts. So every value counts in one bucket, and min, max and mean of a range are right but for
 * the rows at its two ends; when the step is shorter than a row's span, the buckets after it stay empty, and `until`
 * says how far the row reaches.
 */
import type { BucketColumn, BucketGroup, Column } from '../../protocol/frame.ts';
import { type DecodeOptions, decodeData, decodeDownsampled, readHeader } from '../../protocol/frame-codec.ts';
import type { SchemaRef } from '../../protocol/sample.ts';
import { countDownsampled, countValue, createTally, type Tally, tableOf } from './bucket-tally.ts';
import { type Ownership, type OwnFrame, ownershipOf, ownFrames } from './own-frames.ts';
import type { QueryContext } from './query-context.ts';
import { addTally, countRollups, type RollupSplit, splitRange } from './rollup-reader.ts';
import type { BucketQuery, BucketTable, CountedSeries, TimeRange } from './store.ts';
import type { LoadedFrame } from './time-index.ts';

/** More buckets than this are refused, over all rows of an answer. */
export const MAX_BUCKETS = 1_000_000;

/** More buckets than HQ gives at once; the fault is the caller's. */
export class TooManyBucketsError extends Error {
  override readonly name = 'TooManyBucketsError';
}

/** Values that are counted between two yields, roughly. */
const VALUES_A_STEP = 32_768;

/** Bucket i holds the samples with `from + i × stepMs ≤ ts < from + (i + 1) × stepMs`, cut at `to`. */
export function* queryBuckets(context: QueryContext, query: BucketQuery): Generator<void, BucketTable> {
  const { stepMs, from, to, rows } = query;
  const length = Math.max(0, Math.ceil((to - from) / stepMs));
  if (!(length * rows <= MAX_BUCKETS)) {
    throw new TooManyBucketsError(
      `${length} buckets of ${rows} rows, at most ${MAX_BUCKETS} in all: choose a larger step, a shorter range or fewer series`,
    );
  }
  const tally = createTally({ rows, length, percentiles: query.percentiles });
  for (const [agent, series] of byAgent(query.series))
    yield* countAgent(context, query, { agent, series, tally });
  return tableOf(tally, query);
}

function byAgent(all: readonly CountedSeries[]): Map<string, CountedSeries[]> {
  const agents = new Map<string, CountedSeries[]>();
  for (const one of all) {
    const known = agents.get(one.agent);
    if (known === undefined) agents.set(one.agent, [one]);
    else known.push(one);
  }
  return agents;
}

type Counting = {
  readonly agent: string;
  readonly series: readonly CountedSeries[];
  readonly tally: Tally;
};

/** Adds what there is of one agent: each time of the range is counted from rollups, or from raw samples. */
function* countAgent(context: QueryContext, query: BucketQuery, counting: Counting): Generator<void, void> {
  for (const range of yield* countRolled(context, query, counting))
    yield* countRaw(context, query, counting, range);
}

function* countRaw(
  context: QueryContext,
  query: BucketQuery,
  { agent, series, tally }: Counting,
  range: TimeRange,
): Generator<void, void> {
  const columnsOf = columnFinder(context, agent, series);
  for (const own of ownFrames(context, agent, range)) {
    if (own === null) yield;
    else
      yield* countReadable(context, agent, own.frame, () =>
        countFrame(tally, own, { query, ranges: [range], columnsOf }),
      );
  }
}

/** Leaves out a frame that does not decode. */
function* countReadable(
  { onBadFrame }: QueryContext,
  agent: string,
  frame: LoadedFrame,
  count: () => Generator<void, void>,
): Generator<void, void> {
  try {
    yield* count();
  } catch (error) {
    onBadFrame(agent, frame.epoch, frame.seq, error);
  }
}

/** Adds what rollups say, with what the log holds beyond them; returns what is left for raw samples. */
function* countRolled(
  context: QueryContext,
  query: BucketQuery,
  { agent, series, tally }: Counting,
): Generator<void, readonly TimeRange[]> {
  const { rollups, schemas } = context;
  const { from, stepMs, percentiles } = query;
  const { spans, rest } = rollups === undefined ? NOTHING_ROLLED : splitRange(rollups, query);
  if (rollups === undefined || spans.length === 0) return [query];
  // Only the rows of this agent, as there may be a thousand of them.
  const rows = [...new Set(series.map(({ row }) => row))];
  const own = series.map((one) => ({ ...one, row: rows.indexOf(one.row) }));
  const { length } = tally;
  const columnsOf = columnFinder(context, agent, own);
  const rolled = yield* countRollups<Tally>(rollups, {
    agent,
    refs: [...schemas.all(agent).keys()].filter((ref) => columnsOf(ref).length > 0),
    columnsOf: (ref) => columnsOf(ref).map(({ position, row }) => ({ position, first: row * length })),
    spans,
    from,
    stepMs,
    createTally: () => createTally({ rows: rows.length, length, percentiles }),
    countFrame: (into, frame, ranges) =>
      countReadable(context, agent, frame, () =>
        countFrame(into, { frame, ownership: () => ownershipOf(frame) }, { query, ranges, columnsOf }),
      ),
  });
  if (rolled === null) return [query];
  for (const [index, row] of rows.entries())
    addTally([tally, row * length], [rolled, index * length], length);
  return rest;
}
const NOTHING_ROLLED: RollupSplit = { spans: [], rest: [] };

/** A column of a schema, and the row of the answer in which its values count. */
type WantedColumn = { readonly position: number; readonly row: number };
type ColumnFinder = (ref: SchemaRef) => readonly WantedColumn[];

function columnFinder(
  { schemas }: QueryContext,
  agent: string,
  wanted: readonly CountedSeries[],
): ColumnFinder {
  const known = new Map<SchemaRef, readonly WantedColumn[]>();
  return (ref) => {
    const before = known.get(ref);
    if (before !== undefined) return before;
    const schema = schemas.get(agent, ref);
    const found = wanted.flatMap(({ source, series, row }) => {
      const position = schema?.source === source ? schemas.position(schema, series) : -1;
      return position < 0 ? [] : [{ position, row }];
    });
    known.set(ref, found);
    return found;
  };
}

type FrameCount = {
  readonly query: BucketQuery;
  /** Times that count, within the query's. */
  readonly ranges: readonly TimeRange[];
  readonly columnsOf: ColumnFinder;
};

function* countFrame(
  tally: Tally,
  { frame, ownership }: Pick<OwnFrame, 'frame' | 'ownership'>,
  { query, ranges, columnsOf }: FrameCount,
): Generator<void, void> {
  const options: DecodeOptions = {
    columns: (ref) => {
      const wanted = columnsOf(ref);
      return wanted.length === 0 ? 'none' : wanted.map(({ position }) => position);
    },
  };
  const owns = ownership();
  const isDownsampled = readHeader(frame.frame).kind === 'thinned';
  const groups = isDownsampled
    ? decodeDownsampled(frame.frame, options).groups
    : decodeData(frame.frame, options).groups;
  let values = 0;
  for (const group of groups) {
    const wanted = columnsOf(group.schemaRef);
    if (wanted.length === 0) continue;
    const cells = cellsOf(group, { ...query, ranges }, owns);
    for (const { position, row } of wanted) {
      const first = row * tally.length;
      if ('spans' in group) {
        const column = group.columns[position] ?? null;
        if (column !== null) addBuckets(tally, { group, column, cells, first });
      } else {
        const column = group.columns[position] ?? null;
        if (column !== null) addColumn(tally, column, cells, first);
      }
      values += cells.length;
      if (values < VALUES_A_STEP) continue;
      values = 0;
      yield;
    }
  }
}

/** In which step each row of a group counts; −1: in none. */
function cellsOf(
  { ts, seqs }: { readonly ts: Float64Array; readonly seqs: Float64Array },
  { from, stepMs, ranges }: Pick<BucketQuery, 'from' | 'stepMs'> & Pick<FrameCount, 'ranges'>,
  owns: Ownership,
): Int32Array {
  const cells = new Int32Array(ts.length).fill(-1);
  for (let row = 0; row < cells.length; row += 1) {
    const at = ts[row] ?? Number.NaN;
    if (!ranges.some((range) => range.from <= at && at < range.to)) continue;
    if (owns !== null && !owns(seqs[row] ?? 0)) continue;
    cells[row] = Math.floor((at - from) / stepMs);
  }
  return cells;
}

/** `first`: the first cell of the row of the answer. */
function addColumn(tally: Tally, column: Column, cells: Int32Array, first: number): void {
  const { values, present } = column;
  for (let row = 0; row < cells.length; row += 1) {
    const cell = cells[row] ?? -1;
    if (cell < 0 || (present !== null && present[row] !== 1)) continue;
    countValue(tally, first + cell, values[row] ?? Number.NaN);
  }
}

type BucketRows = {
  readonly group: BucketGroup;
  readonly column: BucketColumn;
  readonly cells: Int32Array;
  readonly first: number;
};

function addBuckets(tally: Tally, { group, column, cells, first }: BucketRows): void {
  const { counts, numbers, min, max, sum } = column;
  for (let row = 0; row < cells.length; row += 1) {
    const cell = cells[row] ?? -1;
    const count = counts[row] ?? 0;
    if (cell < 0 || count === 0) continue;
    countDownsampled(tally, first + cell, {
      count,
      numbers: numbers[row] ?? 0,
      min: min[row] ?? Number.NaN,
      max: max[row] ?? Number.NaN,
      sum: sum[row] ?? Number.NaN,
      until: (group.ts[row] ?? 0) + (group.spans[row] ?? 0),
    });
  }
}
