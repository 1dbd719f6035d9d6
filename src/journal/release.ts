/** What HQ has acked leaves the journal; what HQ will never take becomes a gap. Each within one transaction. */
import { type Coverage, type SeqRange, subtract } from '../protocol/coverage.ts';
import type { Writer } from '../storage/storage.ts';
import { encodeCoverage, uniteWithin } from './coverage-sets.ts';
import { frameHolding, type JournalEditor, listFrames, readFrame } from './editor.ts';
import { ACKED_KEY, ALL_DEAD_LETTERS, deadLetterKey, type FrameKey } from './keys.ts';

/** Frames looked at in one transaction. */
const SLICE_FRAMES = 512;

/** Accounts for what `acked` newly covers, up to a number of frames; true when there is more to do. */
export function releaseSlice(writer: Writer, editor: JournalEditor, acked: Coverage): boolean {
  const united = uniteWithin(editor.acked, acked, editor.ledger.sampled);
  const fresh = subtract(united, editor.acked);
  if (fresh.length === 0) return false;
  const visit = visitFrames(writer, fresh);
  for (const { frame, newlyAcked } of visit.frames) {
    editor.countPending(frame.kind, -newlyAcked);
    if (covers(united, frame)) editor.remove(frame);
  }
  // When the slice ends early only the part that was accounted counts as acked yet.
  const accounted =
    visit.end === null ? united : upTo(editor.acked, united, visit.end, editor.ledger.sampled);
  writer.put(ACKED_KEY, encodeCoverage(accounted));
  editor.count({ hasAcked: true });
  return visit.end !== null;
}

type Visit = {
  readonly frames: { readonly frame: FrameKey; newlyAcked: number }[];
  /** Last seq looked at; null when all was. */
  readonly end: number | null;
};

/** The frames that touch `fresh`, each once, with how many of its seqs that covers. */
function visitFrames(writer: Writer, fresh: readonly SeqRange[]): Visit {
  const frames: { frame: FrameKey; newlyAcked: number }[] = [];
  for (const [first, last] of fresh) {
    const holding = frameHolding(writer, first);
    const room = SLICE_FRAMES - frames.length;
    const rest = listFrames(writer, {
      first: first + (holding === undefined ? 0 : 1),
      last,
      limit: room + 1,
    });
    const touched = holding === undefined ? rest : [holding, ...rest];
    for (const frame of touched) {
      const previous = frames.at(-1);
      if (frames.length >= SLICE_FRAMES && previous?.frame.firstSeq !== frame.firstSeq) {
        return { frames, end: frame.firstSeq - 1 };
      }
      const newlyAcked = Math.min(last, frame.lastSeq) - Math.max(first, frame.firstSeq) + 1;
      if (previous?.frame.firstSeq === frame.firstSeq) previous.newlyAcked += newlyAcked;
      else frames.push({ frame, newlyAcked });
    }
  }
  return { frames, end: null };
}

function upTo(old: Coverage, united: Coverage, end: number, sampled: number): Coverage {
  return uniteWithin(old, uniteWithin(united, { contiguous: 0, ranges: [] }, end), sampled);
}

function covers(coverage: Coverage, { firstSeq, lastSeq }: FrameKey): boolean {
  if (lastSeq <= coverage.contiguous) return true;
  const { ranges } = coverage;
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle]?.[1] ?? 0) < lastSeq) low = middle + 1;
    else high = middle;
  }
  const range = ranges[low];
  return range !== undefined && range[0] <= firstSeq && range[1] >= lastSeq;
}

/** Dead letters kept; the oldest go first. They lie within the quota's reserve. */
const MAX_DEAD_LETTERS = 256;

/**
 * Turns the frame that holds `firstSeq` into a gap and keeps it as a dead letter. Nothing happens when it is gone or a
 * gap.
 */
export function rejectFrame(
  writer: Writer,
  editor: JournalEditor,
  { firstSeq, lastSeq, detail }: { firstSeq: number; lastSeq: number | undefined; detail: string },
): void {
  const key = frameHolding(writer, firstSeq);
  if (key === undefined || key.kind === 'gap') return;
  if (lastSeq !== undefined && (key.firstSeq !== firstSeq || key.lastSeq !== lastSeq)) return;
  const frame = readFrame(writer, key);
  if (frame !== null) {
    writer.put(deadLetterKey(key.firstSeq), encodeDeadLetter(detail, frame.bytes));
    const letters = writer.keys({ ...ALL_DEAD_LETTERS, limit: MAX_DEAD_LETTERS + 16 });
    for (const letter of letters.slice(0, Math.max(0, letters.length - MAX_DEAD_LETTERS)))
      writer.remove(letter);
  }
  editor.drop(key, frame === null ? 'damaged' : 'rejected');
}

/** Length of the detail (2 bytes, big-endian), the detail in UTF-8, the frame. */
function encodeDeadLetter(detail: string, frame: Uint8Array): Uint8Array {
  const text = Buffer.from(detail.slice(0, 2000));
  const length = Buffer.allocUnsafe(2);
  length.writeUInt16BE(text.length);
  return Buffer.concat([length, text, frame]);
}

export function decodeDeadLetter(letter: Uint8Array): { detail: string; frame: Uint8Array } {
  const length = new DataView(letter.buffer, letter.byteOffset, letter.byteLength).getUint16(0);
  return {
    detail: Buffer.from(letter.subarray(2, 2 + length)).toString(),
    frame: letter.subarray(2 + length),
  };
}
