/** The header of a frame: what can be known without the payload. docs/protocol.md has the layout byte by byte. */
import { crc32 } from 'node:zlib';
import {
  FRAME_KINDS,
  FRAME_VERSION,
  FrameError,
  type FrameHeader,
  type FrameKind,
  MAX_FRAME_SAMPLES,
} from '../frame.ts';
import { type Epoch, MAX_SEQ } from '../sample.ts';
import { ByteReader, ByteWriter, isHex48, malformed } from './bytes.ts';

const MAGIC_0 = 0x48;
const MAGIC_1 = 0x46;
const KIND_MASK = 0b11;
const FLAG_ZSTD = 0b100;
const FLAG_ENCRYPTED = 0b1000;
/** Some row carries anomalies or diagnostics: each group has a table of notes. */
const FLAG_NOTES = 0b10000;
const KNOWN_FLAGS = KIND_MASK | FLAG_ZSTD | FLAG_ENCRYPTED | FLAG_NOTES;

/** Longest payload, as stored and decompressed. Frames for the wire are kept far smaller (MAX_FRAME_BYTES). */
export const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;

export type HeaderFields = {
  readonly kind: FrameKind;
  readonly zstd: boolean;
  readonly notes: boolean;
  readonly epoch: Epoch;
  readonly firstSeq: number;
  readonly count: number;
  readonly tsMin: number;
  readonly tsMax: number;
};

/** A header together with what only the codec needs. */
export type ParsedHeader = { readonly header: FrameHeader; readonly notes: boolean };

const scratch = new ByteWriter();

/** Header, checksum and payload put together. */
export function sealFrame(fields: HeaderFields, payload: Uint8Array): Uint8Array {
  checkFields(fields, payload.length);
  const writer = scratch.reset();
  writer.u8(MAGIC_0);
  writer.u8(MAGIC_1);
  writer.u8(FRAME_VERSION);
  writer.u8(
    FRAME_KINDS.indexOf(fields.kind) | (fields.zstd ? FLAG_ZSTD : 0) | (fields.notes ? FLAG_NOTES : 0),
  );
  writer.hex48(fields.epoch);
  writer.varint(fields.firstSeq);
  writer.varint(fields.count);
  writer.signed(fields.tsMin);
  writeSpan(writer, fields.tsMin, fields.tsMax);
  writer.varint(payload.length);
  const head = writer.length;
  const frame = new Uint8Array(head + 4 + payload.length);
  frame.set(writer.view(), 0);
  frame.set(payload, head + 4);
  const crc = crc32(payload, crc32(frame.subarray(0, head)));
  frame[head] = crc;
  frame[head + 1] = crc >>> 8;
  frame[head + 2] = crc >>> 16;
  frame[head + 3] = crc >>> 24;
  return frame;
}

function checkFields(fields: HeaderFields, payloadLength: number): void {
  const { epoch, firstSeq, count, tsMin, tsMax } = fields;
  if (!isHex48(epoch)) throw malformed(`epoch: ${epoch} is not 12 hex digits`);
  if (!Number.isSafeInteger(firstSeq) || firstSeq < 1 || firstSeq > MAX_SEQ) {
    throw malformed(`firstSeq: ${firstSeq} is not within 1 … 2^48 − 1`);
  }
  if (!Number.isSafeInteger(count) || count < 1) throw malformed(`count: ${count} is no positive integer`);
  if (fields.kind === 'data' && count > MAX_FRAME_SAMPLES) {
    throw new FrameError('too_large', `count: ${count} samples, a frame holds ${MAX_FRAME_SAMPLES}`);
  }
  if (firstSeq + count - 1 > MAX_SEQ) throw new FrameError('too_large', 'count: seqs go beyond 2^48 − 1');
  if (!Number.isSafeInteger(tsMin) || !Number.isSafeInteger(tsMax) || tsMax < tsMin) {
    throw malformed(`ts: ${tsMin} … ${tsMax} is no range of safe integers`);
  }
  if (payloadLength > MAX_PAYLOAD_BYTES) {
    throw new FrameError('too_large', `payload: ${payloadLength} bytes, at most ${MAX_PAYLOAD_BYTES}`);
  }
}

/** `tsMax − tsMin` can need 54 bits. */
function writeSpan(writer: ByteWriter, tsMin: number, tsMax: number): void {
  const span = tsMax - tsMin;
  if (Number.isSafeInteger(span)) {
    writer.varint(span);
    return;
  }
  let rest = BigInt(tsMax) - BigInt(tsMin);
  for (; rest >= 128n; rest >>= 7n) writer.u8(Number(rest & 127n) | 128);
  writer.u8(Number(rest));
}

function readTsMax(reader: ByteReader, tsMin: number): number {
  let tsMax = tsMin;
  let scale = 1;
  for (let index = 0; index < 8; index += 1) {
    const byte = reader.u8('tsMax');
    // Lowest digits first: what is still to come is a multiple of `scale`, so each sum below 2^53 is exact.
    tsMax += (byte & 127) * scale;
    if (byte < 128) {
      if ((byte === 0 && index > 0) || !Number.isSafeInteger(tsMax)) break;
      return tsMax;
    }
    scale *= 128;
  }
  throw malformed('tsMax: no safe integer');
}

/** Parses and bounds-checks; the checksum is not looked at. The frame must fill `bytes` exactly. */
export function parseHeader(bytes: Uint8Array): ParsedHeader {
  const reader = new ByteReader(bytes);
  if (reader.u8('magic') !== MAGIC_0 || reader.u8('magic') !== MAGIC_1) {
    throw new FrameError('bad_magic', 'magic: the bytes do not begin with "HF"');
  }
  const version = reader.u8('version');
  if (version !== FRAME_VERSION) {
    throw new FrameError(
      'unsupported_version',
      `version: ${version}, this build reads version ${FRAME_VERSION}`,
    );
  }
  const flags = reader.u8('flags');
  if ((flags & ~KNOWN_FLAGS) !== 0) throw malformed(`flags: unknown bits in 0x${flags.toString(16)}`);
  const kind = FRAME_KINDS[flags & KIND_MASK];
  if (kind === undefined) throw new FrameError('unsupported_kind', 'kind: 3 is not defined');
  const epoch = reader.hex48('epoch');
  const firstSeq = reader.varint('firstSeq');
  if (firstSeq < 1 || firstSeq > MAX_SEQ) throw malformed(`firstSeq: ${firstSeq}`);
  const count = reader.varint('count');
  if (count < 1) throw malformed('count: 0');
  if (kind === 'data' && count > MAX_FRAME_SAMPLES) {
    throw new FrameError('too_large', `count: ${count} samples, a frame holds ${MAX_FRAME_SAMPLES}`);
  }
  if (count > MAX_SEQ || firstSeq + count - 1 > MAX_SEQ) throw malformed('count: seqs go beyond 2^48 − 1');
  const tsMin = reader.signed('tsMin');
  if (!Number.isSafeInteger(tsMin)) throw malformed('tsMin: no safe integer');
  const tsMax = readTsMax(reader, tsMin);
  const payloadLength = reader.varint('payload length');
  if (payloadLength > MAX_PAYLOAD_BYTES) {
    throw new FrameError('too_large', `payload: ${payloadLength} bytes, at most ${MAX_PAYLOAD_BYTES}`);
  }
  const at = reader.skip(4, 'crc');
  const crc =
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0;
  if (reader.remaining < payloadLength) {
    throw new FrameError('truncated', `payload: ${reader.remaining} of ${payloadLength} bytes`);
  }
  if (reader.remaining > payloadLength) {
    throw malformed(`payload: ${reader.remaining - payloadLength} bytes too many`);
  }
  const header: FrameHeader = {
    version,
    kind,
    compression: (flags & FLAG_ZSTD) !== 0 ? 'zstd' : 'none',
    encrypted: (flags & FLAG_ENCRYPTED) !== 0,
    epoch,
    firstSeq,
    count,
    tsMin,
    tsMax,
    payloadLength,
    headerLength: reader.offset,
    crc,
  };
  return { header, notes: (flags & FLAG_NOTES) !== 0 };
}

/** Parses and compares the checksum; refuses what version 1 cannot decode. */
export function parseVerified(bytes: Uint8Array): ParsedHeader {
  const parsed = parseHeader(bytes);
  const { headerLength, crc, kind, encrypted, compression } = parsed.header;
  const found = crc32(bytes.subarray(headerLength), crc32(bytes.subarray(0, headerLength - 4)));
  if (found !== crc) {
    throw new FrameError(
      'bad_checksum',
      `crc: the bytes sum to ${found.toString(16)}, not ${crc.toString(16)}`,
    );
  }
  if (encrypted) throw new FrameError('encrypted', 'flags: the payload is encrypted, which needs a key');
  if (kind === 'gap' && (compression !== 'none' || parsed.notes)) {
    throw malformed('flags: a gap frame is neither compressed nor has it notes');
  }
  if (kind === 'thinned' && parsed.notes) throw malformed('flags: a thinned frame has no notes');
  return parsed;
}

/** Parses the header with every bound checked, without verifying the checksum. Throws FrameError. */
export function readHeader(bytes: Uint8Array): FrameHeader {
  return parseHeader(bytes).header;
}

/**
 * The header of a frame whose checksum is right and that this build can decode. Throws FrameError otherwise. What is
 * inside of the payload is checked by `decodeData`, `decodeDownsampled` and `decodeGap` only.
 */
export function verifyFrame(bytes: Uint8Array): FrameHeader {
  return parseVerified(bytes).header;
}
