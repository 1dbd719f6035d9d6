/** Bounded reading and growable writing of bytes; the integers of the frame format. */
import { FrameError } from '../frame.ts';

/** Longest varint: 8 bytes carry 56 bits, the format needs 54. */
const MAX_VARINT_BYTES = 8;
/** A scratch buffer that grew beyond this is let go after use. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;

/** Appends to a buffer that grows; kept between frames as scratch. */
export class ByteWriter {
  bytes = new Uint8Array(4096);
  length = 0;

  /** Starts over; returns itself. */
  reset(): this {
    if (this.bytes.length > MAX_KEPT_BYTES) this.bytes = new Uint8Array(4096);
    this.length = 0;
    return this;
  }

  /** Makes room for `extra` more bytes and returns the buffer, for loops that write by themselves. */
  reserve(extra: number): Uint8Array {
    const needed = this.length + extra;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    return this.bytes;
  }

  u8(value: number): void {
    this.reserve(1)[this.length++] = value;
  }

  /** Unsigned LEB128 of a non-negative safe integer. */
  varint(value: number): void {
    this.length = putVarint(this.reserve(MAX_VARINT_BYTES), this.length, value);
  }

  /** Zigzag LEB128 of a safe integer. */
  signed(value: number): void {
    this.length = putSigned(this.reserve(MAX_VARINT_BYTES), this.length, value);
  }

  /** IEEE 754 double, little-endian. */
  float64(value: number): void {
    FLOAT[0] = value;
    this.raw(FLOAT_BYTES);
  }

  /** Six bytes given as twelve hex digits. */
  hex48(hex: string): void {
    const bytes = this.reserve(6);
    const high = Number.parseInt(hex.slice(0, 6), 16);
    const low = Number.parseInt(hex.slice(6), 16);
    const at = this.length;
    bytes[at] = high >>> 16;
    bytes[at + 1] = high >>> 8;
    bytes[at + 2] = high;
    bytes[at + 3] = low >>> 16;
    bytes[at + 4] = low >>> 8;
    bytes[at + 5] = low;
    this.length = at + 6;
  }

  raw(source: Uint8Array): void {
    this.reserve(source.length).set(source, this.length);
    this.length += source.length;
  }

  /** What was written, as a view that the next write may change. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}

// Little-endian machines only, as all that Node 24 runs on by default are.
const FLOAT = new Float64Array(1);
const FLOAT_BYTES = new Uint8Array(FLOAT.buffer);

/** Writes an unsigned varint at `at`; returns the offset behind it. */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let position = at;
  let rest = value;
  while (rest >= 0x10000000) {
    bytes[position++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  while (rest >= 128) {
    bytes[position++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  bytes[position++] = rest;
  return position;
}

/** Writes a zigzag varint at `at`; returns the offset behind it. Exact for every safe integer. */
export function putSigned(bytes: Uint8Array, at: number, value: number): number {
  const negative = value < 0;
  const magnitude = negative ? -value - 1 : value;
  if (magnitude < 64) {
    bytes[at] = negative ? magnitude * 2 + 1 : magnitude * 2;
    return at + 1;
  }
  // The sign bit is put in by hand: doubling a 53-bit magnitude would lose it.
  bytes[at] = ((magnitude % 64) * 2 + (negative ? 1 : 0)) | 128;
  return putVarint(bytes, at + 1, Math.floor(magnitude / 64));
}

/** Reads forward within `[offset, end)`; every step beyond it is a FrameError. */
export class ByteReader {
  readonly bytes: Uint8Array;
  offset: number;
  readonly end: number;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  u8(what: string): number {
    if (this.offset >= this.end) throw truncated(what, this.offset);
    return this.bytes[this.offset++] as number;
  }

  /** Offset of the next `length` bytes, which are then behind. */
  skip(length: number, what: string): number {
    if (length > this.end - this.offset) throw truncated(what, this.offset);
    const start = this.offset;
    this.offset += length;
    return start;
  }

  /** Unsigned varint of at most 2^53 − 1, in its shortest form. */
  varint(what: string): number {
    let byte = this.u8(what);
    if (byte < 128) return byte;
    let value = byte & 127;
    let scale = 128;
    for (let count = 1; count < MAX_VARINT_BYTES; count += 1) {
      byte = this.u8(what);
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (byte === 0) break;
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
      scale *= 128;
    }
    throw new FrameError('malformed', `${what}: no valid integer before byte ${this.offset}`);
  }

  /** Zigzag varint of a safe integer, in its shortest form. */
  signed(what: string): number {
    const byte = this.u8(what);
    let magnitude = (byte & 127) >>> 1;
    if (byte >= 128) {
      const high = this.varint(what);
      magnitude += high * 64;
      if (high === 0 || !Number.isSafeInteger(magnitude)) {
        throw new FrameError('malformed', `${what}: no valid integer before byte ${this.offset}`);
      }
    }
    return (byte & 1) === 1 ? -magnitude - 1 : magnitude;
  }

  float64(what: string): number {
    const start = this.skip(8, what);
    for (let index = 0; index < 8; index += 1) FLOAT_BYTES[index] = this.bytes[start + index] as number;
    return FLOAT[0] as number;
  }

  hex48(what: string): string {
    const start = this.skip(6, what);
    const { bytes } = this;
    const high =
      ((bytes[start] as number) << 16) | ((bytes[start + 1] as number) << 8) | (bytes[start + 2] as number);
    const low =
      ((bytes[start + 3] as number) << 16) |
      ((bytes[start + 4] as number) << 8) |
      (bytes[start + 5] as number);
    return (0x1000000 + high).toString(16).slice(1) + (0x1000000 + low).toString(16).slice(1);
  }
}

const HEX48 = /^[0-9a-f]{12}$/;

/** Whether `text` is what `hex48` writes and reads. */
export function isHex48(text: string): boolean {
  return HEX48.test(text);
}

export function truncated(what: string, offset: number): FrameError {
  return new FrameError('truncated', `${what}: the bytes end at ${offset}`);
}

export function malformed(message: string, options?: ErrorOptions): FrameError {
  return new FrameError('malformed', message, options);
}

/** A FrameError with the place that it is about before its message; anything else as it is. */
export function placed(place: string, error: unknown): unknown {
  if (!(error instanceof FrameError)) return error;
  return new FrameError(error.code, `${place}: ${error.message}`, { cause: error });
}
