/**
 * A stored frame: a small envelope, then the frame's bytes as received.
 *
 *     version u8 = 2 · lane u8 · log number u48 · segment count varint · first seq u48 · first arrival f64
 *     seqs: for each run of segments alike: segments varint · seqs skipped before each varint · count of each varint
 *     arrivals: for each segment but the first: the change of the time since the last one, zigzag varint
 *     frame bytes
 *
 * Version 1, which 0.1 wrote, has for each segment: seqs skipped varint · count varint · time since the last arrival,
 * zigzag varint. An agent that sends at an even pace needs four times as much of it.
 *
 * Segments are the seqs that this frame contributed when it came: seqs of the frame outside of them belong to other
 * records and are neither counted nor shown from here. A merged record keeps one segment for each frame that went into
 * it. A bucket of a thinned frame is shown when its first seq is within a segment.
 */
import { asBuffer } from './keys.ts';

/** `mixed`: frames of several lanes were merged. New ones go to the end. */
export const LANES_STORED = ['live', 'backlog', 'http', 'mixed'] as const;
export type StoredLane = (typeof LANES_STORED)[number];

export type Segment = { readonly first: number; readonly last: number; readonly arrivalTs: number };
export type FrameRecord = {
  readonly lane: StoredLane;
  readonly logNumber: number;
  /** Ascending, disjoint, at least one. */
  readonly segments: readonly Segment[];
  readonly frame: Uint8Array;
};

const VERSION = 2;
const VERSION_OF_0_1 = 1;
const FIXED = 2 + 6;
const MAX_VARINT = 8;

export function encodeFrameRecord({ lane, logNumber, segments, frame }: FrameRecord): Uint8Array {
  const head = Buffer.allocUnsafe(FIXED + MAX_VARINT + 14 + segments.length * 4 * MAX_VARINT);
  const first = segments[0]?.first ?? 0;
  const firstArrival = segments[0]?.arrivalTs ?? 0;
  head[0] = VERSION;
  head[1] = LANES_STORED.indexOf(lane);
  head.writeUIntBE(logNumber, 2, 6);
  let at = putVarint(head, FIXED, segments.length);
  at = head.writeUIntBE(first, at, 6);
  at = head.writeDoubleBE(firstArrival, at);
  for (const { repeats, skipped, count } of runsAlike(segments)) {
    at = putVarint(head, at, repeats);
    at = putVarint(head, at, skipped);
    at = putVarint(head, at, count);
  }
  let arrival = firstArrival;
  let pause = 0;
  for (const { arrivalTs } of segments.slice(1)) {
    at = putVarint(head, at, zigzag(arrivalTs - arrival - pause));
    pause = arrivalTs - arrival;
    arrival = arrivalTs;
  }
  const value = new Uint8Array(at + frame.length);
  value.set(head.subarray(0, at));
  value.set(frame, at);
  return value;
}

type Alike = { repeats: number; readonly skipped: number; readonly count: number };

function runsAlike(segments: readonly Segment[]): readonly Alike[] {
  const runs: Alike[] = [];
  let next = segments[0]?.first ?? 0;
  for (const { first, last } of segments) {
    const [skipped, count] = [first - next, last - first + 1];
    const run = runs.at(-1);
    if (run !== undefined && run.skipped === skipped && run.count === count) run.repeats += 1;
    else runs.push({ repeats: 1, skipped, count });
    next = last + 1;
  }
  return runs;
}

/** Undefined when the bytes are no frame record. */
export function decodeFrameRecord(value: Uint8Array): FrameRecord | undefined {
  const bytes = asBuffer(value);
  const lane = LANES_STORED[bytes[1] ?? LANES_STORED.length];
  if (bytes.length < FIXED + 15 || lane === undefined) return undefined;
  const reader = { bytes, at: FIXED };
  const count = takeVarint(reader);
  if (!(count >= 1 && count <= bytes.length)) return undefined;
  const start = { first: bytes.readUIntBE(reader.at, 6), arrivalTs: bytes.readDoubleBE(reader.at + 6) };
  reader.at += 14;
  const read = bytes[0] === VERSION ? takeSegments : bytes[0] === VERSION_OF_0_1 ? takeEach : null;
  const segments = read?.(reader, count, start);
  if (segments === undefined || segments.some(({ first, last }) => !(last >= first))) return undefined;
  return { lane, logNumber: bytes.readUIntBE(2, 6), segments, frame: value.subarray(reader.at) };
}

type ByteSource = { readonly bytes: Buffer; at: number };
type Start = Pick<Segment, 'first' | 'arrivalTs'>;

/** Undefined when there are others than `count`. */
function takeSegments(reader: ByteSource, count: number, start: Start): readonly Segment[] | undefined {
  const seqs: { readonly first: number; readonly last: number }[] = [];
  let next = start.first;
  while (seqs.length < count) {
    const [repeats, skipped, ofEach] = [takeVarint(reader), takeVarint(reader), takeVarint(reader)];
    if (!(repeats >= 1 && repeats <= count - seqs.length && ofEach >= 1)) return undefined;
    for (let run = 0; run < repeats; run += 1) {
      const first = next + skipped;
      seqs.push({ first, last: first + ofEach - 1 });
      next = first + ofEach;
    }
  }
  let { arrivalTs } = start;
  let pause = 0;
  return seqs.map((one, index) => {
    if (index > 0) {
      pause += unzigzag(takeVarint(reader));
      arrivalTs += pause;
    }
    return { ...one, arrivalTs };
  });
}

function takeEach(reader: ByteSource, count: number, start: Start): readonly Segment[] {
  let last = start.first - 1;
  let { arrivalTs } = start;
  return Array.from({ length: count }, () => {
    const first = last + 1 + takeVarint(reader);
    last = first + takeVarint(reader) - 1;
    arrivalTs += unzigzag(takeVarint(reader));
    return { first, last, arrivalTs };
  });
}

/** Samples of the frame that count as its own; of a thinned frame, those that its buckets stand for. */
export function segmentSamples(record: FrameRecord): number {
  return record.segments.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

const zigzag = (value: number): number => (value < 0 ? -value * 2 - 1 : value * 2);
const unzigzag = (value: number): number => (value % 2 === 1 ? -(value + 1) / 2 : value / 2);

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
function takeVarint(reader: ByteSource): number {
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
