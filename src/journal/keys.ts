/**
 * Keys of the agent's journal. The first byte says what it is; frames come last, so that appending adds at the end of
 * the tree.
 *
 *   01                                                ledger
 *   02                                                acked coverage
 *   03                                                acked coverage of the epoch before, while a renewal is under way
 *   04 · name of a source, UTF-8                      where it stood after its last sample here, in its own words
 *   05                                                state of the pipeline, which means nothing to the journal
 *   10 · schema ref (6)                               schema, JSON
 *   20 · first seq (6)                                dead letter
 *   30 · first seq (6) · last seq (6) · flags · size (4)  notable frame, no value
 *   40 · first seq (6) · last seq (6) · flags · size (4)  frame
 *
 * Numbers are big-endian. A frame's key says all that accounting needs, so that counting, releasing and finding what a
 * damaged frame stood for read no values.
 */
import { FRAME_KINDS, type FrameKind } from '../protocol/frame.ts';
import { MAX_SEQ, type SchemaRef } from '../protocol/sample.ts';
import { footprintOf } from '../storage/checked-record.ts';
import type { RangeQuery } from '../storage/storage.ts';

const PREFIX = {
  ledger: 0x01,
  acked: 0x02,
  ackedBefore: 0x03,
  position: 0x04,
  state: 0x05,
  schema: 0x10,
  deadLetter: 0x20,
  notable: 0x30,
  frame: 0x40,
} as const;
const SEQ_BYTES = 6;
const NOTABLE_FLAG = 0x80;
const KIND_MASK = 0x0f;
export const FRAME_KEY_BYTES = 18;

export const LEDGER_KEY = Uint8Array.of(PREFIX.ledger);
export const ACKED_KEY = Uint8Array.of(PREFIX.acked);
export const STATE_KEY = Uint8Array.of(PREFIX.state);
export const ACKED_BEFORE_KEY = Uint8Array.of(PREFIX.ackedBefore);

export type FrameKey = {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly kind: FrameKind;
  /** Whether a sample of it carries an anomaly or a diagnostic, or was kept whole alongside one that does. */
  readonly notable: boolean;
  /** Length of the encoded frame. */
  readonly size: number;
};

/** What a frame occupies on the disk, its entry in the index of notable ones included. Estimate. */
export function frameFootprint({ size, notable }: Pick<FrameKey, 'size' | 'notable'>): number {
  return footprintOf(FRAME_KEY_BYTES, size) + (notable ? footprintOf(FRAME_KEY_BYTES, 0) : 0);
}

export function frameKey(frame: FrameKey): Uint8Array {
  return encodeFrameKey(PREFIX.frame, frame);
}

export function notableKey(frame: FrameKey): Uint8Array {
  return encodeFrameKey(PREFIX.notable, frame);
}

function encodeFrameKey(prefix: number, { firstSeq, lastSeq, kind, notable, size }: FrameKey): Uint8Array {
  const key = Buffer.allocUnsafe(FRAME_KEY_BYTES);
  key[0] = prefix;
  key.writeUIntBE(firstSeq, 1, SEQ_BYTES);
  key.writeUIntBE(lastSeq, 1 + SEQ_BYTES, SEQ_BYTES);
  key[13] = FRAME_KINDS.indexOf(kind) | (notable ? NOTABLE_FLAG : 0);
  key.writeUInt32BE(size, 14);
  return key;
}

/** Of a frame or notable key; null when it is none. */
export function parseFrameKey(key: Uint8Array): FrameKey | null {
  if (key.length !== FRAME_KEY_BYTES) return null;
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const flags = view.getUint8(13);
  const kind = FRAME_KINDS[flags & KIND_MASK];
  const firstSeq = view.getUint16(1) * 2 ** 32 + view.getUint32(3);
  const lastSeq = view.getUint16(7) * 2 ** 32 + view.getUint32(9);
  if (kind === undefined || lastSeq < firstSeq) return null;
  return { firstSeq, lastSeq, kind, notable: (flags & NOTABLE_FLAG) !== 0, size: view.getUint32(14) };
}

type Bounds = Pick<RangeQuery, 'from' | 'to'>;

/** Frames whose first seq is within `[first, last]`. */
export function framesStarting(first: number, last: number): Bounds {
  return { from: seqKey(PREFIX.frame, first), to: seqKey(PREFIX.frame, Math.min(last, MAX_SEQ) + 1) };
}

export function notablesStarting(first: number, last: number): Bounds {
  return { from: seqKey(PREFIX.notable, first), to: seqKey(PREFIX.notable, Math.min(last, MAX_SEQ) + 1) };
}

export function schemaKey(ref: SchemaRef): Uint8Array {
  return Buffer.concat([Uint8Array.of(PREFIX.schema), Buffer.from(ref, 'hex')]);
}

export const ALL_SCHEMAS: Bounds = {
  from: Uint8Array.of(PREFIX.schema),
  to: Uint8Array.of(PREFIX.schema + 1),
};

export function positionKey(source: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(PREFIX.position), Buffer.from(source)]);
}

export function deadLetterKey(firstSeq: number): Uint8Array {
  return seqKey(PREFIX.deadLetter, firstSeq);
}

export const ALL_DEAD_LETTERS: Bounds = {
  from: Uint8Array.of(PREFIX.deadLetter),
  to: Uint8Array.of(PREFIX.deadLetter + 1),
};

/** Everything that begins with `prefix` and has a number below `seq` comes before it. */
function seqKey(prefix: number, seq: number): Uint8Array {
  // One beyond the highest seq is the end of the prefix.
  if (seq > MAX_SEQ) return Uint8Array.of(prefix + 1);
  const key = Buffer.allocUnsafe(1 + SEQ_BYTES);
  key[0] = prefix;
  key.writeUIntBE(seq, 1, SEQ_BYTES);
  return key;
}
