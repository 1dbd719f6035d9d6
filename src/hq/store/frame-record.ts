/**
 * A stored frame: a small envelope, then the frame's bytes as received.
 *
 *     version u8 = 1 · lane u8 · log number u48 · segment count varint · first seq u48 · first arrival f64
 *     per segment: seqs skipped since the last one varint · count varint · arrival minus the last one, zigzag varint
 *     frame bytes
 *
 * Segments are the seqs that this frame contributed when it came: seqs of the frame outside of them belong to other
 * records and are neither counted nor shown from here. A merged record keeps one segment for each frame that went into
 * it. A bucket of a thinned frame is shown when its first seq is within a segment.
 */
import { asBuffer } from './keys.ts';

export const LANES_STORED = ['live', 'backlog', 'http'] as const;
export type StoredLane = (typeof LANES_STORED)[number];

export type Segment = { readonly first: number; readonly last: number; readonly arrivalTs: number };
export type FrameRecord = {
  readonly lane: StoredLane;
  readonly logNumber: number;
  /** Ascending, disjoint, at least one. */
  readonly segments: readonly Segment[];
  readonly frame: Uint8Array;
};

const VERSION = 1;
const FIXED = 2 + 6;
const MAX_VARINT = 8;

export function encodeFrameRecord(record: FrameRecord): Uint8Array {
  const head = Buffer.allocUnsafe(FIXED + MAX_VARINT + 14 + record.segments.length * 3 * MAX_VARINT);
  head[0] = VERSION;
  head[1] = LANES_STORED.indexOf(record.lane);
  head.writeUIntBE(record.logNumber, 2, 6);
  let at = putVarint(head, FIXED, record.segments.length);
  let last = record.segments[0]?.first ?? 0;
  let arrival = record.segments[0]?.arrivalTs ?? 0;
  at = head.writeUIntBE(last, at, 6);
  at = head.writeDoubleBE(arrival, at);
  last -= 1;
  for (const segment of record.segments) {
    at = putVarint(head, at, segment.first - last - 1);
    at = putVarint(head, at, segment.last - segment.first + 1);
    const delta = segment.arrivalTs - arrival;
    at = putVarint(head, at, delta < 0 ? -delta * 2 - 1 : delta * 2);
    last = segment.last;
    arrival = segment.arrivalTs;
  }
  const value = new Uint8Array(at + record.frame.length);
  value.set(head.subarray(0, at));
  value.set(record.frame, at);
  return value;
}

/** Undefined when the bytes are no frame record. */
export function decodeFrameRecord(value: Uint8Array): FrameRecord | undefined {
  const bytes = asBuffer(value);
  const lane = LANES_STORED[bytes[1] ?? LANES_STORED.length];
  if (bytes.length < FIXED + 15 || bytes[0] !== VERSION || lane === undefined) return undefined;
  const reader = { bytes, at: FIXED };
  const count = takeVarint(reader);
  if (count < 1 || count > bytes.length) return undefined;
  let last = bytes.readUIntBE(reader.at, 6) - 1;
  let arrival = bytes.readDoubleBE(reader.at + 6);
  reader.at += 14;
  const segments: Segment[] = [];
  for (let index = 0; index < count; index += 1) {
    const first = last + 1 + takeVarint(reader);
    last = first + takeVarint(reader) - 1;
    const zigzag = takeVarint(reader);
    arrival += zigzag % 2 === 1 ? -(zigzag + 1) / 2 : zigzag / 2;
    if (!(last >= first)) return undefined;
    segments.push({ first, last, arrivalTs: arrival });
  }
  return { lane, logNumber: bytes.readUIntBE(2, 6), segments, frame: value.subarray(reader.at) };
}

/** Samples of the frame that count as its own; of a thinned frame, those that its buckets stand for. */
export function segmentSamples(record: FrameRecord): number {
  return record.segments.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

function putVarint(into: Buffer, at: number, value: number): number {
  let rest = value;
  let to = at;
  while (rest >= 0x80) {
    into[to] = (rest % 0x80) + 0x80;
    rest = Math.floor(rest / 0x80);
    to += 1;
  }
  into[to] = rest;
  return to + 1;
}

/** NaN past the end or beyond 2^53. */
function takeVarint(reader: { bytes: Buffer; at: number }): number {
  let value = 0;
  for (let scale = 1; scale < 2 ** 53; scale *= 0x80) {
    const byte = reader.bytes[reader.at];
    if (byte === undefined) return Number.NaN;
    reader.at += 1;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
  }
  return Number.NaN;
}
