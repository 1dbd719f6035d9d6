/** Looks at a frame at rest: whether it can be read, and which of its seqs count that no other frame stands for. */
import { readHeader, schemaRefsOf } from '../../protocol/frame-codec.ts';
import type { Epoch, SchemaRef } from '../../protocol/sample.ts';
import { type Accounting, THINNED } from './epoch-state.ts';
import type { FrameRecord, Segment } from './frame-record.ts';
import { addPresent, type Present } from './present.ts';

export type SoundFrame = {
  readonly accounting: Accounting;
  readonly tsMin: number;
  readonly tsMax: number;
  readonly schemas: readonly SchemaRef[];
};

/** Null: it cannot be read, or is not of this epoch, and is as good as gone. */
export function soundFrame({ frame }: FrameRecord, epoch: Epoch): SoundFrame | null {
  try {
    const header = readHeader(frame);
    if (header.epoch !== epoch) return null;
    const { kind, tsMin, tsMax } = header;
    const accounting: Accounting = kind === 'thinned' ? THINNED : { kind: 'data' };
    return { accounting, tsMin, tsMax, schemas: schemaRefsOf(frame) };
  } catch {
    return null;
  }
}

/** The segments of the record that no other one stands for. */
export function addRecord(
  present: Present,
  { segments, logNumber, lane }: FrameRecord,
  accounting: Accounting,
): readonly Segment[] {
  const own = segments.flatMap(({ first, last, arrivalTs }) =>
    addPresent(present, accounting, first, last).map(([from, to]) => ({ first: from, last: to, arrivalTs })),
  );
  const [lowest] = own;
  if (lowest === undefined) return own;
  present.firstFrame = Math.min(present.firstFrame, lowest.first);
  present.lastNumber = Math.max(present.lastNumber, logNumber);
  present.isHttp ||= lane === 'http';
  return own;
}
