/**
 * Thinning, within one transaction: a run of adjacent frames becomes buckets of half the resolution or less, see
 * docs/protocol.md. What carries an anomaly or a diagnostic stays as it is, and so do the samples around it. The seqs
 * are the same after as before, so that the ledger changes by what the frames occupy and by how many samples are
 * thinned.
 */
import type { SeqRange } from '../../protocol/coverage.ts';
import { type BucketGroup, type DataFrame, FrameError, MAX_FRAME_BYTES } from '../../protocol/frame.ts';
import {
  bucketsOf,
  coarsen,
  decodeData,
  decodeDownsampled,
  encodeDownsampled,
  joinBuckets,
  mergeFrames,
  readHeader,
  sliceBuckets,
  sliceFrame,
} from '../../protocol/frame-codec.ts';
import type { Reader, Writer } from '../../storage/storage.ts';
import { touches } from '../compaction/compact.ts';
import { frameHolding, type JournalEditor, listFrames, readFrame, type VerifiedFrame } from '../editor.ts';
import { type FrameKey, frameFootprint } from '../keys.ts';
import type { DownsamplingCounts } from '../port.ts';

export type DownsamplingRequest = {
  /** Adjacent and of one kind, oldest first, as they were when it was planned. */
  readonly frames: readonly FrameKey[];
  /** Samples of the same schema that stay whole on either side of a notable one. */
  readonly surroundings: number;
};

export type DownsamplingResult = DownsamplingCounts & {
  /** Frames from the front on that it has dealt with, at least one; the others may have changed since. */
  readonly seen: number;
};

export const NOTHING_DOWNSAMPLED: DownsamplingCounts = {
  rewritten: 0,
  thinned: 0,
  samples: 0,
  freedBytes: 0,
};

/**
 * What is rewritten must shrink to this share of what it occupied, so that resolution falls with each step and steps
 * stay few.
 */
const GOAL = 0.6;
/** Where even one bucket does not reach that, this share is still worth it. */
const WORTH = 0.9;
/** Fewer samples than these between two whole stretches stay whole too: a frame of their own would gain nothing. */
const MIN_BETWEEN = 4;

/** Nothing is changed where nothing is gained; `freedBytes` is 0 then. */
export function downsampleRun(
  writer: Writer,
  editor: JournalEditor,
  request: DownsamplingRequest,
): DownsamplingResult {
  const parts = intact(writer, editor, request.frames);
  const [head] = parts;
  const tail = parts.at(-1);
  const nothing = { ...NOTHING_DOWNSAMPLED, seen: Math.max(1, parts.length) };
  if (head === undefined || tail === undefined) return nothing;
  const run: SeqRange = [head.key.firstSeq, tail.key.lastSeq];
  try {
    const whole = head.key.kind === 'data' ? wholeRanges(writer, parts, run, request.surroundings) : [];
    const kept = whole.map((range) => cutOut(parts, range));
    const keptBytes = kept.reduce(
      (sum, { length: size }) => sum + frameFootprint({ size, notable: true }),
      0,
    );
    const before = parts.reduce((sum, { key }) => sum + frameFootprint(key), 0);
    const thinned = thin(parts, rangesBetween(run, whole), editor.ledger.epoch, before - keptBytes);
    if (thinned === null) return nothing;
    for (const { key } of parts) editor.remove(key);
    for (const bytes of kept) editor.addFrame(bytes, readHeader(bytes), true);
    for (const bytes of thinned) editor.addFrame(bytes, readHeader(bytes), false);
    const samples =
      head.key.kind === 'thinned' ? 0 : thinned.reduce((sum, one) => sum + readHeader(one).count, 0);
    editor.count({ thinned: editor.ledger.thinned + samples });
    return {
      seen: parts.length,
      rewritten: parts.length,
      thinned: thinned.length,
      samples,
      freedBytes: before - keptBytes - sizeOf(thinned),
    };
  } catch (error) {
    // A frame that says nonsense is found when it is delivered.
    if (error instanceof FrameError) return nothing;
    throw error;
  }
}

/** Those from the front on that are still there as they were planned, and of which HQ has nothing. */
function intact(writer: Writer, editor: JournalEditor, frames: readonly FrameKey[]): VerifiedFrame[] {
  const parts: VerifiedFrame[] = [];
  for (const key of frames) {
    const isAcked = key.firstSeq <= editor.acked.contiguous || touches(editor.acked.ranges, key);
    const frame = isAcked ? null : readFrame(writer, key);
    if (frame === null) break;
    parts.push(frame);
  }
  return parts;
}

/** Null when it is not worth it. `before`: what the samples occupied. */
function thin(
  parts: readonly VerifiedFrame[],
  ranges: readonly SeqRange[],
  epoch: string,
  before: number,
): readonly Uint8Array[] | null {
  if (ranges.length === 0) return null;
  const all = joinBuckets(
    parts.map(({ bytes, header }) =>
      header.kind === 'data' ? bucketsOf(decodeData(bytes)) : decodeDownsampled(bytes).groups,
    ),
  );
  let stretches = ranges.map(([first, last]) => ({ first, last, groups: sliceBuckets(all, first, last) }));
  const longest = Math.max(...ranges.map(([first, last]) => last - first + 1));
  let best: readonly Uint8Array[] | null = null;
  // Buckets that also join what lies far apart in time come last: they say little.
  for (const apart of [true, false]) {
    for (let window = firstWindow(all); ; window *= 2) {
      stretches = stretches.map((one) => ({ ...one, groups: coarsen(one.groups, { window, apart }) }));
      const pieces = encode(stretches, epoch);
      if (pieces !== null) {
        if (sizeOf(pieces) <= before * GOAL) return pieces;
        best = pieces;
      }
      if (window > longest * 2) break;
    }
  }
  return best !== null && sizeOf(best) <= before * WORTH ? best : null;
}

/**
 * Twice the width that buckets have now; eight samples to begin with, as min, max and sum take the place of one value.
 */
function firstWindow(groups: readonly BucketGroup[]): number {
  let rows = 0;
  let samples = 0;
  for (const { sizes } of groups) {
    rows += sizes.length;
    for (const size of sizes) samples += size;
  }
  const width = (groups.length * samples) / Math.max(1, rows);
  return width <= groups.length ? 8 * ceilPower(groups.length) : ceilPower(width) * 2;
}

function ceilPower(value: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, value)));
}

type Stretch = { readonly first: number; readonly last: number; readonly groups: readonly BucketGroup[] };

/** Null when one does not fit a frame. */
function encode(stretches: readonly Stretch[], epoch: string): readonly Uint8Array[] | null {
  const pieces: Uint8Array[] = [];
  for (const { first, last, groups } of stretches) {
    try {
      const bytes = encodeDownsampled({ epoch, firstSeq: first, count: last - first + 1, groups });
      if (bytes.length > MAX_FRAME_BYTES) return null;
      pieces.push(bytes);
    } catch (error) {
      if (error instanceof FrameError && error.code === 'too_large') return null;
      throw error;
    }
  }
  return pieces;
}

function sizeOf(frames: readonly Uint8Array[]): number {
  return frames.reduce((sum, { length: size }) => sum + frameFootprint({ size, notable: false }), 0);
}

/** The samples of a range as one frame, or as they are where that is not possible. */
function cutOut(parts: readonly VerifiedFrame[], [first, last]: SeqRange): Uint8Array {
  const slices = parts
    .filter(({ key }) => key.firstSeq <= last && key.lastSeq >= first)
    .map(({ key, bytes }) => sliceFrame(bytes, Math.max(first, key.firstSeq), Math.min(last, key.lastSeq)));
  const [only] = slices;
  return only !== undefined && slices.length === 1 ? only : mergeFrames(slices);
}

/** Stretches of the run that stay whole, in order; those with little between them as one. */
function wholeRanges(
  reader: Reader,
  parts: readonly VerifiedFrame[],
  run: SeqRange,
  surroundings: number,
): readonly SeqRange[] {
  const minBetween = Math.max(MIN_BETWEEN, surroundings);
  const joined: [number, number][] = [];
  for (const [from, to] of aroundNotes(withNeighbours(reader, parts, run), surroundings)) {
    const first = Math.max(from, run[0]);
    const last = Math.min(to, run[1]);
    if (first > last) continue;
    const previous = joined.at(-1);
    if (previous !== undefined && first - previous[1] <= minBetween)
      previous[1] = Math.max(previous[1], last);
    else joined.push([first - run[0] < minBetween ? run[0] : first, last]);
  }
  const end = joined.at(-1);
  if (end !== undefined && run[1] - end[1] < minBetween) end[1] = run[1];
  return joined;
}

/** The run's frames, and those alongside it whose anomalies may reach into it. */
function withNeighbours(
  reader: Reader,
  parts: readonly VerifiedFrame[],
  [first, last]: SeqRange,
): DataFrame[] {
  const beside = (key: FrameKey | undefined) => {
    const frame = key?.kind === 'data' && key.notable ? readFrame(reader, key) : null;
    return frame === null ? [] : [notesOf(frame)];
  };
  const [next] = listFrames(reader, { first: last + 1, last: last + 1, limit: 1 });
  return [
    ...beside(first > 1 ? frameHolding(reader, first - 1) : undefined),
    ...parts.map(notesOf),
    ...beside(next),
  ];
}

function notesOf({ bytes }: VerifiedFrame): DataFrame {
  return decodeData(bytes, { columns: () => 'none' });
}

/** Seqs of notable samples and of as many of the same schema on either side, by first seq; they may overlap. */
function aroundNotes(frames: readonly DataFrame[], surroundings: number): SeqRange[] {
  const bySchema = new Map<string, { readonly seqs: number[]; readonly noted: number[] }>();
  for (const { schemaRef, seqs, notes } of frames.flatMap(({ groups }) => groups)) {
    const rows = bySchema.get(schemaRef) ?? { seqs: [], noted: [] };
    for (const { row } of notes) rows.noted.push(rows.seqs.length + row);
    for (const seq of seqs) rows.seqs.push(seq);
    bySchema.set(schemaRef, rows);
  }
  const ranges: SeqRange[] = [];
  for (const { seqs, noted } of bySchema.values()) {
    for (const row of noted) {
      const first = seqs[Math.max(0, row - surroundings)];
      const last = seqs[Math.min(seqs.length - 1, row + surroundings)];
      if (first !== undefined && last !== undefined) ranges.push([first, last]);
    }
  }
  return ranges.sort((a, b) => a[0] - b[0]);
}

function rangesBetween([first, last]: SeqRange, whole: readonly SeqRange[]): SeqRange[] {
  const ranges: SeqRange[] = [];
  let next = first;
  for (const [from, to] of whole) {
    if (from > next) ranges.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= last) ranges.push([next, last]);
  return ranges;
}
