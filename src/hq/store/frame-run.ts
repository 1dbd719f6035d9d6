/** Runs of frames with consecutive seqs that may become one frame. */
import { type FrameKind, MAX_FRAME_SAMPLES } from '../../protocol/frame.ts';
import { decodeData, mergeFrames, readHeader, sliceFrame } from '../../protocol/frame-codec.ts';
import type { RecordPlace } from './append-frame.ts';
import type { FrameRecord, Segment, StoredLane } from './frame-record.ts';
import { HOUR_MS } from './keys.ts';

/** Large: a frame fills its pages but for the last, and its head counts for little. */
const TARGET_SAMPLES = MAX_FRAME_SAMPLES;
/** A frame with more samples is left as it is. */
export const SMALL_SAMPLES = 1024;
const MAX_RUN_BYTES = 512 * 1024;
/** Values of all series: what a merge costs goes with them, and a few bytes can hold millions. */
const MAX_RUN_VALUES = 64 * 1024;
/** A frame with more values is left as it is. */
const SMALL_VALUES = MAX_RUN_VALUES / 4;
/** A run with fewer frames is not worth a rewrite, unless it is half full. */
const MIN_RUN_FRAMES = 8;
const MAX_RUN_SPAN_MS = 2 * HOUR_MS;
export type Piece = {
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
export type Run = { readonly pieces: Piece[]; bytes: number; values: number; tsMin: number; tsMax: number };
export const emptyRun = (): Run => ({
  pieces: [],
  bytes: 0,
  values: 0,
  tsMin: Number.POSITIVE_INFINITY,
  tsMax: Number.NEGATIVE_INFINITY,
});

export function pieceOf(seq: number, record: FrameRecord): Piece {
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
export function isSmall({ kind, first, last, values, record }: Piece): boolean {
  if (kind !== 'data' || values > SMALL_VALUES) return false;
  const stretches = record.segments.filter(
    (segment, index) => index > 0 && segment.first !== (record.segments[index - 1]?.last ?? 0) + 1,
  );
  return last - first < SMALL_SAMPLES && stretches.length === 0;
}

export function fits({ pieces, bytes, values, tsMin, tsMax }: Run, piece: Piece): boolean {
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

export function isWorthMerging({ pieces, values }: Run): boolean {
  const [first, last] = [pieces[0], pieces.at(-1)];
  if (first === undefined || last === undefined || pieces.length < 2) return false;
  const samples = last.last - first.first + 1;
  return pieces.length >= MIN_RUN_FRAMES || samples >= TARGET_SAMPLES / 2 || values >= MAX_RUN_VALUES / 2;
}

export function join(run: Run, piece: Piece): void {
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

/** The frame that takes the place of the pieces. Throws FrameError for one that does not decode. */
export function* merged(pieces: readonly Piece[]): Generator<void, Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const piece of pieces) {
    parts.push(bytesOf(piece));
    yield;
  }
  return mergeFrames(parts);
}

/** The record of a frame that has taken the place of the pieces. */
export function mergedRecord(
  pieces: readonly Piece[],
  frame: Uint8Array,
): FrameRecord & Pick<RecordPlace, 'tsMin' | 'tsMax'> {
  const { tsMin, tsMax } = readHeader(frame);
  return {
    tsMin,
    tsMax,
    frame,
    lane: laneOf(pieces),
    logNumber: Math.max(...pieces.map((piece) => piece.record.logNumber)),
    segments: pieces.flatMap((piece) => piece.record.segments).reduce(joinSegments, []),
  };
}

function laneOf(pieces: readonly Piece[]): StoredLane {
  const [lane = 'mixed', ...others] = new Set(pieces.map((piece) => piece.record.lane));
  return others.length === 0 ? lane : 'mixed';
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
