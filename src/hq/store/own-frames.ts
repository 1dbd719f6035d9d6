/** The frames of an agent in a time range, each seq once, whatever is merged or filed while they are read. */
import { type Coverage, cover, covers, EMPTY_COVERAGE } from '../../protocol/coverage.ts';
import { readHeader } from '../../protocol/frame-codec.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { QueryContext } from './query-context.ts';
import type { TimeRange } from './store.ts';
import { type FrameRef, framesBetween, type LoadedFrame, loadFrame, segmentOf } from './time-index.ts';

export type OwnFrame = {
  readonly ref: FrameRef;
  readonly frame: LoadedFrame;
  /** All that the record owns counts here. */
  readonly isNew: boolean;
  /** Whether a seq of the frame counts here; of a thinned row the first one is asked for. Throws FrameError. */
  readonly ownership: () => Ownership;
};

/** Null: all seqs of the frame count. */
export type Ownership = ((seq: number) => boolean) | null;

/** In the order of the earliest time of each; null now and then, when others should have their turn. */
export function* ownFrames(
  context: QueryContext,
  agent: string,
  range: TimeRange,
): Generator<OwnFrame | null, void> {
  // A frame that is merged while this runs holds samples that were met before.
  const met = new Map<Epoch, Coverage>();
  for (const ref of framesBetween(context, agent, range)) {
    if (ref === null) {
      yield null;
      continue;
    }
    const seen = met.get(ref.epoch) ?? EMPTY_COVERAGE;
    if (covers(seen, ref.seq, ref.seq)) continue;
    const frame = loadFrame(context, agent, ref);
    if (frame === undefined) continue;
    let next = seen;
    for (const { first, last } of frame.segments) next = cover(next, first, last);
    met.set(ref.epoch, next);
    const isNew = !frame.segments.some(({ first, last }) => overlaps(seen, first, last));
    yield { ref, frame, isNew, ownership: () => ownershipOf(frame, seen) };
    yield null;
  }
}

/** `seen`: seqs that count elsewhere. Throws FrameError. */
export function ownershipOf(frame: LoadedFrame, seen: Coverage = EMPTY_COVERAGE): Ownership {
  const { firstSeq, count } = readHeader(frame.frame);
  const [segment] = frame.segments;
  const last = firstSeq + count - 1;
  const isWhole = frame.segments.length === 1 && segment?.first === firstSeq && segment.last === last;
  if (isWhole && !overlaps(seen, firstSeq, last)) return null;
  return (seq) => segmentOf(frame, seq) !== undefined && !covers(seen, seq, seq);
}

function overlaps(coverage: Coverage, first: number, last: number): boolean {
  if (coverage.contiguous >= first) return true;
  return coverage.ranges.some(([start, end]) => start <= last && first <= end);
}
