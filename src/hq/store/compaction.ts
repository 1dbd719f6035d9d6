/**
 * Compaction: live frames are small, and at 10 Hz a store of them would drown in records. Runs of frames with
 * consecutive seqs become one frame of up to TARGET_SAMPLES; every sample keeps its arrival time through the segments
 * of the record. Thinned frames are large as they come, and stay as they are.
 */

import type { FrameKind } from '../../protocol/frame.ts';
import { decodeData, mergeFrames, readHeader, sliceFrame } from '../../protocol/frame-codec.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { Storage } from '../../storage/storage.ts';
import { putRecord, removeRecord } from './append-frame.ts';
import { EMPTY_EPOCH } from './epoch-state.ts';
import { decodeFrameRecord, type FrameRecord, type Segment } from './frame-record.ts';
import { HOUR_MS, parseSeqKey, seqRange } from './keys.ts';
import type { Transaction } from './transactions.ts';

const TARGET_SAMPLES = 1024;
/** A frame with more samples is left as it is. */
export const SMALL_SAMPLES = 256;
const MAX_RUN_BYTES = 512 * 1024;
/** Values of all series: what a merge costs goes with them, and a few bytes can hold millions. */
const MAX_RUN_VALUES = 64 * 1024;
/** A frame with more values is left as it is. */
const SMALL_VALUES = MAX_RUN_VALUES / 8;
const MAX_RUN_SPAN_MS = 2 * HOUR_MS;
/** A run with fewer frames is not worth a rewrite. */
const MIN_RUN_FRAMES = 8;
/** The newest run, which may yet grow, is left alone until it has this many frames. */
const MIN_OPEN_RUN_FRAMES = 64;
const SCAN_FRAMES = 256;

type Piece = {
  readonly kind: FrameKind;
  readonly seq: number;
  readonly first: number;
  readonly last: number;
  readonly tsMin: number;
  readonly tsMax: number;
  readonly values: number;
  readonly record: FrameRecord;
};

/** Neighbours that may become one frame. Sums and bounds are kept: a run may have a thousand pieces. */
type Run = { readonly pieces: Piece[]; bytes: number; values: number; tsMin: number; tsMax: number };
const emptyRun = (): Run => ({
  pieces: [],
  bytes: 0,
  values: 0,
  tsMin: Number.POSITIVE_INFINITY,
  tsMax: Number.NEGATIVE_INFINITY,
});

/** A merge to be committed: the pieces and the frame that takes their place. */
export type Compaction = { readonly pieces: readonly Piece[]; readonly frame: Uint8Array };
export type CompactionPlan = {
  readonly merges: readonly Compaction[];
  /** Everything up to this seq has been looked at. */
  readonly mergedTo: number;
  /** The scan was cut short: there are frames behind it. */
  readonly more: boolean;
};

export type CompactionScope = {
  readonly agent: string;
  readonly epoch: Epoch;
  readonly fromSeq: number;
  /** Frames with a later number of the arrival log are left alone. */
  readonly toLogNumber: number;
  readonly onBadRun: (seq: number, error: unknown) => void;
};

/** Reads the frames from `fromSeq` and encodes what can be merged; writes nothing. */
export function* planCompaction(storage: Storage, scope: CompactionScope): Generator<void, CompactionPlan> {
  const { agent, epoch, fromSeq } = scope;
  const range = { ...seqRange('F', agent, epoch, fromSeq), limit: SCAN_FRAMES };
  const keys = storage.read((reader) => reader.keys(range));
  const merges: Compaction[] = [];
  let run = emptyRun();
  let mergedTo = fromSeq - 1;
  const close = function* (open: boolean): Generator<void, void> {
    const { pieces } = run;
    const last = pieces.at(-1);
    if (last === undefined || (open && pieces.length < MIN_OPEN_RUN_FRAMES)) return;
    if (pieces.length >= MIN_RUN_FRAMES) {
      try {
        const parts: Uint8Array[] = [];
        for (const piece of pieces) {
          parts.push(bytesOf(piece));
          yield;
        }
        merges.push({ pieces, frame: mergeFrames(parts) });
      } catch (error) {
        scope.onBadRun(pieces[0]?.seq ?? 0, error);
      }
    }
    mergedTo = last.last;
    run = emptyRun();
  };
  for (const key of keys) {
    const value = storage.read((reader) => reader.get(key));
    const record = value === undefined ? undefined : decodeFrameRecord(value);
    if (record === undefined) continue;
    if (record.logNumber > scope.toLogNumber) break;
    const piece = pieceOf(parseSeqKey(key).seq, record);
    if (!fits(run, piece)) yield* close(false);
    if (isSmall(piece)) join(run, piece);
    else mergedTo = piece.last;
    yield;
  }
  // With the scan cut short the run goes on behind it.
  yield* close(keys.length < SCAN_FRAMES);
  return { merges, mergedTo, more: keys.length === SCAN_FRAMES && mergedTo >= fromSeq };
}

function pieceOf(seq: number, record: FrameRecord): Piece {
  const { kind, tsMin, tsMax } = readHeader(record.frame);
  const values = kind === 'data' ? valuesOf(record.frame) : 0;
  return { kind, values, seq, first: seq, last: record.segments.at(-1)?.last ?? seq, tsMin, tsMax, record };
}

/** One that cannot be read counts as large. */
function valuesOf(frame: Uint8Array): number {
  try {
    const { groups } = decodeData(frame, { columns: () => 'none' });
    return groups.reduce((sum, { seqs, columns }) => sum + seqs.length * columns.length, 0);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Samples, few, and of one stretch: a frame that filled several holes stays as it is. */
function isSmall({ kind, first, last, values, record }: Piece): boolean {
  if (kind !== 'data' || values > SMALL_VALUES) return false;
  const stretches = record.segments.filter(
    (segment, index) => index > 0 && segment.first !== (record.segments[index - 1]?.last ?? 0) + 1,
  );
  return last - first < SMALL_SAMPLES && stretches.length === 0;
}

function fits({ pieces, bytes, values, tsMin, tsMax }: Run, piece: Piece): boolean {
  const first = pieces[0];
  const last = pieces.at(-1);
  if (first === undefined || last === undefined) return true;
  return (
    isSmall(piece) &&
    piece.first === last.last + 1 &&
    piece.last - first.first < TARGET_SAMPLES &&
    bytes + piece.record.frame.length <= MAX_RUN_BYTES &&
    values + piece.values <= MAX_RUN_VALUES &&
    Math.max(tsMax, piece.tsMax) - Math.min(tsMin, piece.tsMin) <= MAX_RUN_SPAN_MS
  );
}

function join(run: Run, piece: Piece): void {
  run.pieces.push(piece);
  run.bytes += piece.record.frame.length;
  run.values += piece.values;
  run.tsMin = Math.min(run.tsMin, piece.tsMin);
  run.tsMax = Math.max(run.tsMax, piece.tsMax);
}

/** The frame cut down to what the record owns. */
function bytesOf({ first, last, record }: Piece): Uint8Array {
  return sliceFrame(record.frame, first, last);
}

export function commitCompaction(
  transaction: Transaction,
  agent: string,
  epoch: Epoch,
  plan: CompactionPlan,
): void {
  for (const { pieces, frame } of plan.merges) {
    for (const { seq, tsMin, tsMax, record } of pieces) {
      removeRecord(transaction, { agent, epoch, seq, tsMin, tsMax, logNumber: record.logNumber });
    }
    const { tsMin, tsMax } = readHeader(frame);
    putRecord(transaction, {
      agent,
      epoch,
      tsMin,
      tsMax,
      frame,
      lane: pieces[0]?.record.lane ?? 'backlog',
      logNumber: Math.max(...pieces.map((piece) => piece.record.logNumber)),
      segments: pieces.flatMap((piece) => piece.record.segments).reduce(joinSegments, []),
    });
  }
  const state = transaction.epoch(agent, epoch) ?? EMPTY_EPOCH;
  transaction.setEpoch(agent, epoch, { ...state, mergedTo: Math.max(state.mergedTo, plan.mergedTo) });
}

/** Neighbours that arrived together need one entry. */
function joinSegments(joined: Segment[], segment: Segment): Segment[] {
  const previous = joined.at(-1);
  if (
    previous === undefined ||
    previous.arrivalTs !== segment.arrivalTs ||
    previous.last + 1 !== segment.first
  ) {
    joined.push(segment);
  } else {
    joined[joined.length - 1] = { ...previous, last: segment.last };
  }
  return joined;
}
