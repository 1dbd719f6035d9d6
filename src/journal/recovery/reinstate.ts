/** Taking back acks that HQ no longer stands by, within one transaction. */
import { type Coverage, EMPTY_COVERAGE, type SeqRange, subtract } from '../../protocol/coverage.ts';
import type { Writer } from '../../storage/storage.ts';
import { encodeCoverage, uniteWithin } from '../coverage-sets.ts';
import { frameHolding, type JournalEditor, listFrames } from '../editor.ts';
import { ACKED_KEY, type FrameKey } from '../keys.ts';
import { ackedSamples } from '../ledger.ts';
import type { Reinstated } from '../port.ts';

/** Frames looked at for each range at a time. */
const CHUNK_FRAMES = 512;

/**
 * Nothing is written when HQ holds all that was acked. A seq that was acked as a gap cannot be told from one that was
 * acked as a sample: it becomes `lost_at_hq` at HQ, but the journal's own count of what was dropped never exceeds what
 * was sampled.
 */
export function reinstateFrames(
  writer: Writer,
  editor: JournalEditor,
  held: Coverage,
  now: number,
): Reinstated {
  const missing = subtract(editor.acked, held);
  if (missing.length === 0) return { again: 0, lost: 0 };
  const left = subtract(editor.acked, { contiguous: 0, ranges: missing });
  writer.put(
    ACKED_KEY,
    encodeCoverage(uniteWithin({ contiguous: 0, ranges: left }, EMPTY_COVERAGE, editor.ledger.sampled)),
  );
  let again = 0;
  let lost = 0;
  for (const range of missing) {
    let next = range[0];
    const lose = (last: number) => {
      if (last < next) return;
      const samples = last - next + 1;
      editor.countDropped('lost_at_hq', Math.min(samples, ackedSamples(editor.ledger)));
      editor.addGap([next, last], 'lost_at_hq', { tsMin: now, tsMax: now });
      lost += samples;
    };
    for (const frame of framesWithin(writer, range)) {
      lose(frame.firstSeq - 1);
      const samples = Math.min(range[1], frame.lastSeq) - Math.max(range[0], frame.firstSeq) + 1;
      if (frame.kind !== 'gap') {
        editor.countPending(frame.kind, samples);
        again += samples;
      }
      next = frame.lastSeq + 1;
    }
    lose(range[1]);
  }
  return { again, lost };
}

/** Those that hold a part of the range, in order, as they were before anything changed. */
function framesWithin(writer: Writer, [first, last]: SeqRange): readonly FrameKey[] {
  const holding = frameHolding(writer, first);
  const frames: FrameKey[] = holding === undefined ? [] : [holding];
  for (let from = first + (holding === undefined ? 0 : 1); ; ) {
    const chunk = listFrames(writer, { first: from, last, limit: CHUNK_FRAMES });
    frames.push(...chunk);
    const end = chunk.at(-1);
    if (end === undefined || chunk.length < CHUNK_FRAMES) return frames;
    from = end.firstSeq + 1;
  }
}
