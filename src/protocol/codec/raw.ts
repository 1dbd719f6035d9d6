/** Doubles as they are: each XORed with the one before, written as eight planes of bytes, highest first. */
import { type ByteWriter, malformed } from './bytes.ts';

const words = new Uint32Array(2);
const double = new Float64Array(words.buffer);

/** Neighbouring doubles share sign, exponent and high digits: their planes are mostly zeros, which compresses well. */
export function putRaw(writer: ByteWriter, values: Float64Array, count: number): void {
  const bytes = writer.reserve(count * 8);
  const start = writer.length;
  let previousLow = 0;
  let previousHigh = 0;
  for (let index = 0; index < count; index += 1) {
    double[0] = values[index] as number;
    let low = words[0] as number;
    let high = words[1] as number;
    // One pattern for NaN, so that equal values give equal bytes on every machine.
    if (Number.isNaN(double[0])) {
      low = 0;
      high = 0x7ff80000;
    }
    const xorLow = low ^ previousLow;
    const xorHigh = high ^ previousHigh;
    previousLow = low;
    previousHigh = high;
    let at = start + index;
    for (let shift = 24; shift >= 0; shift -= 8, at += count) bytes[at] = xorHigh >>> shift;
    for (let shift = 24; shift >= 0; shift -= 8, at += count) bytes[at] = xorLow >>> shift;
  }
  writer.length = start + count * 8;
}

/** Any eight bytes are a double. Throws FrameError when `[start, end)` is not of `count` of them. */
export function checkRaw(start: number, end: number, count: number): void {
  if (end - start !== count * 8) throw malformed(`column: ${end - start} bytes for ${count} doubles`);
}

/** Reads `count` doubles that fill `[start, end)` exactly. Throws FrameError. */
export function readRaw(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
  out: Float64Array,
): void {
  checkRaw(start, end, count);
  let low = 0;
  let high = 0;
  for (let index = 0; index < count; index += 1) {
    let at = start + index;
    let xorHigh = 0;
    let xorLow = 0;
    for (let byte = 0; byte < 4; byte += 1, at += count) xorHigh = (xorHigh << 8) | (bytes[at] as number);
    for (let byte = 0; byte < 4; byte += 1, at += count) xorLow = (xorLow << 8) | (bytes[at] as number);
    high ^= xorHigh;
    low ^= xorLow;
    words[0] = low;
    words[1] = high;
    out[index] = double[0] as number;
  }
}
