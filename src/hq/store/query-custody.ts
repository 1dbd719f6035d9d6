/**
 * Where the samples of agents are, by steps of the time at which they were sampled: stored and how soon, thinned,
 * dropped, or still to come. From the frames, of which only the times are decoded, and those only of frames that reach
 * over a step; from the records of gaps; and from what HQ has heard of.
 *
 * Of seqs that never came nobody knows the times one by one. They are spread evenly over the time in which they lie,
 * as whole samples, so that the sums are exact.
 */
import { missingWithin } from '../../protocol/coverage.ts';
import { decodeData, decodeDownsampled, readHeader } from '../../protocol/frame-codec.ts';
import { decodeGapRecord } from './gap-record.ts';
import { agentRange, parseSeqKey, successor } from './keys.ts';
import { type OwnFrame, ownFrames } from './own-frames.ts';
import type { QueryContext } from './query-context.ts';
import type { LedgerSource } from './query-ledger.ts';
import type { CustodyQuery, CustodyTable } from './store.ts';
import { timeBeside } from './time-beside.ts';
import { segmentOf } from './time-index.ts';

const GAPS_A_PAGE = 500;

export type CustodySource = { readonly context: QueryContext; readonly ledger: LedgerSource };

/** Where what has come counts: one row of the answer. */
type Counting = {
  readonly agent: string;
  readonly query: CustodyQuery;
  readonly table: CustodyTable;
  /** The first cell of the row. */
  readonly first: number;
};

/** `now`: HQ's wall time, ms. */
export function* queryCustody(
  source: CustodySource,
  query: CustodyQuery,
  now: number,
): Generator<void, CustodyTable> {
  const length = Math.ceil((query.to - query.from) / query.stepMs);
  const cells = () => new Float64Array(length * query.rows);
  const table: CustodyTable = {
    length,
    stored: cells(),
    onTime: cells(),
    thinned: cells(),
    dropped: cells(),
    pending: cells(),
  };
  for (const { agent, row } of query.agents) {
    const counting = { agent, query, table, first: row * length };
    yield* countFrames(source.context, counting);
    yield* countGaps(source.context, counting);
    countPending(source.ledger, counting, now);
    yield;
  }
  return table;
}

function* countFrames(context: QueryContext, counting: Counting): Generator<void, void> {
  const { agent, query } = counting;
  for (const own of ownFrames(context, agent, query)) {
    if (own === null) {
      yield;
      continue;
    }
    try {
      countFrame(counting, own);
    } catch (error) {
      context.onBadFrame(agent, own.frame.epoch, own.frame.seq, error);
    }
  }
}

function countFrame(counting: Counting, { frame, isNew, ownership }: OwnFrame): void {
  const { query } = counting;
  const { segments } = frame;
  const { kind, tsMin, tsMax } = readHeader(frame.frame);
  const stepOf = (ts: number) => Math.floor((ts - query.from) / query.stepMs);
  const isWithinOne = stepOf(tsMin) === stepOf(tsMax) && tsMin >= query.from && tsMax < query.to;
  if (
    kind !== 'thinned' &&
    isNew &&
    isWithinOne &&
    segments.every((one) => agrees(query, one, tsMin, tsMax))
  ) {
    for (const { first, last, arrivalTs } of segments)
      addStored(counting, tsMin, arrivalTs, last - first + 1);
    return;
  }
  const owns = ownership();
  const count = (row: CountedRow) => {
    const segment = segmentOf(frame, row.seq);
    if (segment !== undefined && (owns === null || owns(row.seq))) countRow(counting, row, segment.arrivalTs);
  };
  if (kind === 'thinned') {
    for (const { seqs, ts, sizes } of decodeDownsampled(frame.frame, { columns: () => 'none' }).groups)
      for (const [row, seq] of seqs.entries()) count({ seq, ts: ts[row], thinned: sizes[row] });
    return;
  }
  for (const { seqs, ts } of decodeData(frame.frame, { columns: () => 'none' }).groups)
    for (const [row, seq] of seqs.entries()) count({ seq, ts: ts[row] });
}

/** Whether all samples of a segment were on time, or none was. */
function agrees(
  { withinMs }: CustodyQuery,
  { arrivalTs }: { readonly arrivalTs: number },
  tsMin: number,
  tsMax: number,
): boolean {
  return arrivalTs - tsMin <= withinMs === arrivalTs - tsMax <= withinMs;
}

type CountedRow = {
  readonly seq: number;
  readonly ts: number | undefined;
  /** Samples that it stands for, where it came thinned. */
  readonly thinned?: number | undefined;
};

function countRow(counting: Counting, { ts = Number.NaN, thinned }: CountedRow, arrivalTs: number): void {
  const { query, table, first } = counting;
  if (!(ts >= query.from && ts < query.to)) return;
  if (thinned === undefined) {
    addStored(counting, ts, arrivalTs, 1);
    return;
  }
  const cell = first + Math.floor((ts - query.from) / query.stepMs);
  add(arrivalTs > query.asOf ? table.pending : table.thinned, cell, thinned);
}

function addStored({ query, table, first }: Counting, ts: number, arrivalTs: number, samples: number): void {
  const cell = first + Math.floor((ts - query.from) / query.stepMs);
  if (arrivalTs > query.asOf) {
    add(table.pending, cell, samples);
    return;
  }
  add(table.stored, cell, samples);
  if (arrivalTs - ts <= query.withinMs) add(table.onTime, cell, samples);
}

const add = (into: Float64Array, cell: number, samples: number): void => {
  into[cell] = (into[cell] ?? 0) + samples;
};

function* countGaps({ storage }: QueryContext, counting: Counting): Generator<void, void> {
  const range = agentRange('G', counting.agent);
  for (let { from } = range; ; ) {
    const entries = storage.read((reader) => reader.range({ ...range, from, limit: GAPS_A_PAGE }));
    for (const { key, value } of entries) {
      const gap = decodeGapRecord(value);
      if (gap === undefined) continue;
      const samples = gap.lastSeq - parseSeqKey(key).seq + 1;
      spread(counting, counting.table.dropped, { from: gap.fromTs, to: gap.toTs, samples });
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < GAPS_A_PAGE) return;
    from = successor(last.key);
    yield;
  }
}

/** What was given out and has not come: it lies between its neighbours, and what follows nothing is of now. */
function countPending(source: LedgerSource, counting: Counting, now: number): void {
  const { agent, table } = counting;
  for (const epoch of source.epochs(agent)) {
    const state = source.state(agent, epoch);
    if (state === undefined) continue;
    for (const [first, last] of missingWithin(state.coverage, 1, state.sampled)) {
      const [before, after] = source.storage.read((reader) => {
        const from = { reader, tail: source.tail };
        const place = { agent, epoch };
        return [timeBeside(from, place, first, 'before'), timeBeside(from, place, last, 'after')];
      });
      const samples = last - first + 1;
      const to = after ?? Math.max(now, before ?? now);
      const from = Math.min(before ?? to, to);
      // Its neighbours are no part of it.
      const pause = (to - from) / (samples + 1);
      spread(counting, table.pending, {
        from: from + pause,
        to: to - (after === undefined ? 0 : pause),
        samples,
      });
    }
  }
}

type Stretch = { readonly from: number; readonly to: number; readonly samples: number };

/** Puts whole samples into the steps of a stretch of time: the first at its beginning, the last at its end. */
function spread({ query, first }: Counting, into: Float64Array, { from, to, samples }: Stretch): void {
  if (!(from < query.to && to >= query.from)) return;
  const { stepMs } = query;
  const span = to - from;
  const before = (ts: number): number => {
    if (ts <= from) return 0;
    if (ts > to || samples === 1) return samples;
    return Math.ceil(((ts - from) / span) * (samples - 1));
  };
  const length = Math.ceil((query.to - query.from) / stepMs);
  const firstStep = Math.max(0, Math.floor((from - query.from) / stepMs));
  const lastStep = Math.min(length - 1, Math.floor((to - query.from) / stepMs));
  let counted = before(query.from + firstStep * stepMs);
  for (let step = firstStep; step <= lastStep; step += 1) {
    const until = before(Math.min(query.to, query.from + (step + 1) * stepMs));
    add(into, first + step, until - counted);
    counted = until;
  }
}
