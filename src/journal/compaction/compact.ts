/**
 * Compaction: runs of small adjacent data frames become one large frame, which compresses far better. Within one
 * transaction a bounded part of the journal; compacting a compacted journal changes nothing. A journal compacts at two
 * levels: soon, into frames that are large enough, and those again into frames that are as full as may be, as
 * delivering costs by the frame. So each sample is written three times at most, however long HQ is away.
 */
import type { SeqRange } from '../../protocol/coverage.ts';
import { MAX_FRAME_BYTES, MAX_FRAME_SAMPLES } from '../../protocol/frame.ts';
import { mergeFrames, readHeader } from '../../protocol/frame-codec.ts';
import { MAX_SEQ } from '../../protocol/sample.ts';
import type { Writer } from '../../storage/storage.ts';
import { type JournalEditor, listFrames, readFrame } from '../editor.ts';
import type { FrameKey } from '../keys.ts';

export type CompactionRequest = {
  /** Frames with as many samples or more are left alone; a merged frame has at least as many. */
  readonly compactSamples: number;
  /** Only runs that can grow no more. */
  readonly fullOnly: boolean;
  readonly inFlight: readonly SeqRange[];
  /** Where to begin. */
  readonly from: number;
};

export type CompactionSlice = {
  readonly merged: number;
  readonly compacted: number;
  /** Where the next slice begins; null when the end was reached. */
  readonly next: number | null;
  /** First seq that a later compaction must look at again; null when nothing was left. */
  readonly left: number | null;
  /** First seq that has not been looked at. */
  readonly end: number;
};

/** At least compactSamples, so that a run of single samples never spans a whole slice without being long enough. */
const SLICE_FRAMES = 4096;
/** Merged frames of one transaction: each costs some milliseconds. */
const SLICE_COMPACTIONS = 2;
/** Merged frames are smaller than their parts together, as a rule; leave room for the exception. */
const MAX_PART_BYTES = MAX_FRAME_BYTES - 16 * 1024;

export function compactSlice(
  writer: Writer,
  editor: JournalEditor,
  request: CompactionRequest,
): CompactionSlice {
  const keys = listFrames(writer, { first: request.from, last: MAX_SEQ, limit: SLICE_FRAMES });
  const atEnd = keys.length < SLICE_FRAMES;
  const counts = { merged: 0, compacted: 0 };
  let left: number | null = null;
  const leave = (run: readonly FrameKey[]) => {
    left ??= run[0]?.firstSeq ?? null;
  };
  const runs = findRuns(editor, keys, request, leave);
  for (const { frames, open } of runs) {
    const samples = samplesIn(frames);
    const first = frames[0]?.firstSeq ?? 0;
    if (samples < request.compactSamples || frames.length < 2 || (open && request.fullOnly)) {
      // The last run may still grow; one between large frames never will.
      if (open) leave(frames);
      continue;
    }
    if (counts.compacted >= SLICE_COMPACTIONS) return { ...counts, next: first, left, end: first };
    if (merge(writer, editor, frames)) {
      counts.merged += frames.length;
      counts.compacted += 1;
    }
  }
  const end = (keys.at(-1)?.lastSeq ?? request.from - 1) + 1;
  const next = atEnd ? null : (runs.find(({ open }) => open)?.frames[0]?.firstSeq ?? end);
  return { ...counts, next: next === request.from ? end : next, left, end };
}

type Run = { readonly frames: FrameKey[]; readonly open: boolean };

function findRuns(
  editor: JournalEditor,
  keys: readonly FrameKey[],
  { compactSamples, inFlight }: CompactionRequest,
  leave: (run: readonly FrameKey[]) => void,
): Run[] {
  const runs: Run[] = [];
  let frames: FrameKey[] = [];
  let samples = 0;
  let bytes = 0;
  const close = (open: boolean) => {
    if (frames.length > 0) runs.push({ frames, open });
    [frames, samples, bytes] = [[], 0, 0];
  };
  for (const key of keys) {
    const count = key.lastSeq - key.firstSeq + 1;
    const busy =
      touches(inFlight, key) || touches(editor.acked.ranges, key) || key.firstSeq <= editor.acked.contiguous;
    if (busy && key.kind === 'data' && count < compactSamples) leave([key]);
    if (busy || key.kind !== 'data' || count >= compactSamples) {
      close(false);
      continue;
    }
    const previous = frames.at(-1);
    const adjacent = previous === undefined || previous.lastSeq + 1 === key.firstSeq;
    if (!adjacent || samples + count > MAX_FRAME_SAMPLES || bytes + key.size > MAX_PART_BYTES) close(false);
    frames.push(key);
    samples += count;
    bytes += key.size;
  }
  close(true);
  return runs;
}

export function touches(ranges: readonly SeqRange[], { firstSeq, lastSeq }: FrameKey): boolean {
  return ranges.some(([first, last]) => first <= lastSeq && last >= firstSeq);
}

function samplesIn(frames: readonly FrameKey[]): number {
  return frames.reduce((sum, { firstSeq, lastSeq }) => sum + lastSeq - firstSeq + 1, 0);
}

/** False, and nothing changed, when a part is damaged or the whole would be too large. */
function merge(writer: Writer, editor: JournalEditor, keys: readonly FrameKey[]): boolean {
  const parts = keys.flatMap((key) => readFrame(writer, key)?.bytes ?? []);
  if (parts.length !== keys.length) return false;
  let bytes: Uint8Array;
  try {
    bytes = mergeFrames(parts);
  } catch {
    return false;
  }
  if (bytes.length > MAX_FRAME_BYTES) return false;
  for (const key of keys) editor.remove(key);
  editor.addFrame(
    bytes,
    readHeader(bytes),
    keys.some(({ notable }) => notable),
  );
  return true;
}
