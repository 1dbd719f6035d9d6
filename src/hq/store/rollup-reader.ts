/**
 * Answers from rollups: which part of a range of time they can answer, and what they say of it, together with what the
 * log holds beyond them. The rest is for raw samples.
 */
import { createSketch, mergeSketch, type QuantileSketch } from '../../protocol/quantile-sketch.ts';
import type { SchemaRef } from '../../protocol/sample.ts';
import { mergeStatistics, type Statistics } from '../../protocol/statistics.ts';
import type { Entry, Reader, Storage } from '../../storage/storage.ts';
import { blockOf, RESOLUTIONS, type Resolution } from '../rollups/resolutions.ts';
import { createRollupStatistics } from '../rollups/roll-up.ts';
import { decodePart } from '../rollups/rollup-part.ts';
import { successor } from './keys.ts';
import { readLogEntry, type TailOf } from './log-entry.ts';
import { parseRollupKey, rollupRange, rollupStateKey } from './rollup-keys.ts';
import { decodeRollupState, isComplete, type RollupState } from './rollup-state.ts';
import type { TimeRange } from './store.ts';
import type { LoadedFrame } from './time-index.ts';

export type RollupSource = {
  readonly storage: Storage;
  /** Entries of the log that may not be in the rollups yet. */
  readonly unrolled: TailOf;
  /** Rollups of a resolution are whole from this time on, ms. */
  readonly keptFrom: (resolution: Resolution) => number;
};

/** Buckets of an answer, as rollups add to them. */
export type RollupTally = {
  readonly statistics: Statistics;
  /** Latest time that a thinned row in the bucket reaches to, ms. */
  readonly until: Float64Array;
  /** Null: nobody asks for quantiles. */
  readonly sketches: (QuantileSketch | undefined)[] | null;
};

export type RollupSpan = TimeRange & { readonly resolution: Resolution };

export type RollupSplit = {
  readonly spans: readonly RollupSpan[];
  /** What is left for raw samples. */
  readonly rest: readonly TimeRange[];
};

export type SplitQuery = TimeRange & {
  readonly stepMs: number;
  readonly percentiles: boolean;
};

/**
 * Which part of the query's range rollups can answer: buckets whose bounds are bounds of theirs, from the widest that
 * fit; narrower ones at the ends.
 */
export function splitRange({ keptFrom }: Pick<RollupSource, 'keptFrom'>, query: SplitQuery): RollupSplit {
  const { from, to, stepMs, percentiles } = query;
  const fitting = RESOLUTIONS.toReversed().filter(
    (one) => stepMs % one.stepMs === 0 && from % one.stepMs === 0 && (one.hasSketches || !percentiles),
  );
  const spans: RollupSpan[] = [];
  const rest: TimeRange[] = [];
  const split = (range: TimeRange, index: number): void => {
    if (!(range.from < range.to)) return;
    const resolution = fitting[index];
    if (resolution === undefined) {
      rest.push(range);
      return;
    }
    const first =
      Math.ceil(Math.max(range.from, keptFrom(resolution)) / resolution.stepMs) * resolution.stepMs;
    const last = Math.floor(range.to / resolution.stepMs) * resolution.stepMs;
    if (!(first < last)) {
      split(range, index + 1);
      return;
    }
    split({ from: range.from, to: first }, index + 1);
    spans.push({ from: first, to: last, resolution });
    split({ from: last, to: range.to }, index + 1);
  };
  split({ from, to }, 0);
  return { spans, rest };
}

/** A column of a schema, and the first bucket of those in which its values count. */
export type RollupColumn = { readonly position: number; readonly first: number };

export type RollupCount<T extends RollupTally> = {
  readonly agent: string;
  /** Schemas that have columns which count. */
  readonly refs: readonly SchemaRef[];
  readonly columnsOf: (ref: SchemaRef) => readonly RollupColumn[];
  readonly spans: readonly RollupSpan[];
  /** Bucket n of a column begins at `from + n × stepMs`. */
  readonly from: number;
  readonly stepMs: number;
  /** An empty tally of the same size. */
  readonly createTally: () => T;
  /** Adds to the tally what the frame holds within the ranges. */
  readonly countFrame: (tally: T, frame: LoadedFrame, ranges: readonly TimeRange[]) => Generator<void, void>;
};

/** Rollups that change so often while they are read are left to raw samples. */
const MAX_TRIES = 4;
const PAGE = 16;

/**
 * A tally of what rollups and the log beyond them hold within the spans; null where the agent's rollups are not
 * complete: nothing may be left out then.
 */
export function* countRollups<T extends RollupTally>(
  source: RollupSource,
  count: RollupCount<T>,
): Generator<void, T | null> {
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const state = source.storage.read((reader) => decodeRollupState(reader.get(rollupStateKey(count.agent))));
    if (!isComplete(state)) return null;
    const tally = count.createTally();
    if (yield* addAll(source, count, { state, tally })) return tally;
  }
  return null;
}

type Attempt<T> = { readonly state: RollupState; readonly tally: T };

/** False: the rollups have changed meanwhile, and what was added is of no use. */
function* addAll<T extends RollupTally>(
  source: RollupSource,
  count: RollupCount<T>,
  attempt: Attempt<T>,
): Generator<void, boolean> {
  const { agent, spans } = count;
  const waiting = source.unrolled(agent).filter(({ number }) => number > attempt.state.to);
  for (const ref of count.refs) {
    for (const span of spans) {
      if (!(yield* addSpan(source, count, { ...attempt, ref, span }))) return false;
    }
  }
  const isWithin = (tsMin: number, tsMax: number) =>
    spans.some(({ from, to }) => tsMin < to && tsMax >= from);
  for (const { number, epoch, first, tsMin, tsMax } of waiting) {
    if (!isWithin(tsMin, tsMax)) continue;
    const record = source.storage.read((reader) => readLogEntry(reader, number))?.record;
    if (record !== undefined) yield* count.countFrame(attempt.tally, { ...record, epoch, seq: first }, spans);
    yield;
  }
  // What has left the log since then may not have been read there.
  return source.storage.read((reader) => isAsBefore(reader, agent, attempt.state));
}

const isAsBefore = (reader: Reader, agent: string, { to }: RollupState): boolean =>
  decodeRollupState(reader.get(rollupStateKey(agent)))?.to === to;

/** Page by page; false when the rollups have changed. */
function* addSpan<T extends RollupTally>(
  { storage }: RollupSource,
  count: RollupCount<T>,
  { state, tally, ref, span }: Attempt<T> & { readonly ref: SchemaRef; readonly span: RollupSpan },
): Generator<void, boolean> {
  const { resolution } = span;
  const range = rollupRange(count.agent, {
    ref,
    resolution: resolution.index,
    from: blockOf(resolution, span.from),
    to: blockOf(resolution, span.to - 1) + 1,
  });
  let { from } = range;
  for (;;) {
    const entries = storage.read((reader) =>
      isAsBefore(reader, count.agent, state) ? reader.range({ from, to: range.to, limit: PAGE }) : null,
    );
    if (entries === null) return false;
    for (const entry of entries) {
      addPart(count, entry, { tally, ref, span });
      yield;
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < PAGE) return true;
    from = successor(last.key);
  }
}

function addPart(
  { columnsOf, from, stepMs }: Pick<RollupCount<RollupTally>, 'columnsOf' | 'from' | 'stepMs'>,
  { key, value }: Entry,
  { tally, ref, span }: { readonly tally: RollupTally; readonly ref: SchemaRef; readonly span: RollupSpan },
): void {
  const { resolution } = span;
  const part = decodePart(value);
  const start = parseRollupKey(key).block * resolution.blockMs;
  const times = part.offsets.map((offset) => start + offset * resolution.stepMs);
  const cells = Int32Array.from(times, (ts) =>
    ts >= span.from && ts < span.to ? Math.floor((ts - from) / stepMs) : -1,
  );
  if (cells.every((cell) => cell < 0)) return;
  const { sketches } = tally;
  for (const { position, first } of columnsOf(ref)) {
    if (position >= part.columns) continue;
    const statistics = createRollupStatistics(cells.length);
    part.read(position, statistics);
    const own = sketches === null ? null : Array.from(cells, createSketch);
    if (own !== null) part.readSketches(position, own);
    for (let row = 0; row < cells.length; row += 1) {
      const cell = first + (cells[row] as number);
      if (cell < first || statistics.counts[row] === 0) continue;
      mergeStatistics(tally.statistics, cell, statistics, row);
      if (statistics.thinned[row] !== 0)
        tally.until[cell] = Math.max(
          tally.until[cell] as number,
          (times[row] as number) + (statistics.reach[row] as number),
        );
      if (sketches !== null && own !== null) addSketch(sketches, cell, own[row]);
    }
  }
}

function addSketch(
  sketches: (QuantileSketch | undefined)[],
  cell: number,
  own: QuantileSketch | undefined,
): void {
  const known = sketches[cell];
  if (known === undefined) sketches[cell] = own;
  else if (own !== undefined) mergeSketch(known, own);
}

/** Adds `length` buckets of one tally to those of another. */
export function addTally(
  [into, first]: readonly [RollupTally, number],
  [from, other]: readonly [RollupTally, number],
  length: number,
): void {
  for (let index = 0; index < length; index += 1) {
    const [cell, own] = [first + index, other + index];
    if (from.statistics.counts[own] === 0) continue;
    mergeStatistics(into.statistics, cell, from.statistics, own);
    into.until[cell] = Math.max(into.until[cell] as number, from.until[own] as number);
    if (into.sketches !== null) addSketch(into.sketches, cell, from.sketches?.[own]);
  }
}
