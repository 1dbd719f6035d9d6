/**
 * Rice codes: small non-negative integers in few bits.
 *
 * With parameter k the integer z is `floor(z / 2^k)` zero bits, a one bit, and the k low bits of z. From 24 zero bits
 * on it is instead exactly 24 zero bits, a one bit, and z in 54 bits. Bits fill bytes from the lowest up; numbers are
 * written lowest bit first; the last byte is padded with zeros. With runs, what is written is how many zeros come
 * before the next other integer (parameter of its own), then that integer less one, and so on to the end.
 */
import type { FrameError } from '../frame.ts';
import { type ByteWriter, malformed, truncated } from './bytes.ts';

/** Zero bits that mark an integer written in full. */
const ESCAPE = 24;
const FULL_BITS = 54;
const FULL_PART = 18;
/** Bits that a refill of the decoder guarantees. */
const REFILL = 25;
/** Codes of up to this many bits fit into the 32 bits that are at hand. */
const MAX_SHORT = 24;
const RUNS = 0x40;
const MAX_PARAMETER = 53;

/** How many integers have each bit length; filled by {@link putRice}. */
const histogram = new Uint32Array(64);

function bitLength(value: number): number {
  return value < 0x80000000 ? 32 - Math.clz32(value) : 64 - Math.clz32(value / 0x100000000);
}

/** About the bits that integers of the lengths in `histogram` take, from length `from` on. */
function estimate(parameter: number, from: number, longest: number): number {
  let bits = 0;
  for (let length = from; length <= longest; length += 1) {
    const count = histogram[length] as number;
    if (count === 0) continue;
    // Integers of one length are spread over [2^(length−1), 2^length): on average 1.5 times its start.
    const quotient =
      length <= parameter ? 0 : length === parameter + 1 ? 1 : 1.5 * 2 ** (length - 1 - parameter);
    bits += count * (quotient >= ESCAPE ? ESCAPE + 1 + FULL_BITS : quotient + 1 + parameter);
  }
  return bits;
}

/** Least costly parameter near the median length, or near the longest where a few long integers outweigh the rest. */
function bestParameter(from: number, longest: number, total: number): number {
  let middle = from;
  for (let seen = histogram[from] as number; seen * 2 < total && middle < longest; ) {
    middle += 1;
    seen += histogram[middle] as number;
  }
  let best = 0;
  let bits = Number.POSITIVE_INFINITY;
  let parameter = Math.max(0, middle - 3);
  while (parameter <= Math.min(MAX_PARAMETER, longest)) {
    const other = estimate(parameter, from, longest);
    if (other < bits) {
      best = parameter;
      bits = other;
    }
    parameter = parameter === middle + 2 ? Math.max(parameter + 1, longest - 5) : parameter + 1;
  }
  return best;
}

// State of the bit writer: module variables are faster than an object's fields in these loops.
let pending = 0;
let pendingBits = 0;
let target: Uint8Array = new Uint8Array(0);
let position = 0;

/** Writes the `width` ≤ 24 low bits of `value`. */
function putBits(value: number, width: number): void {
  pending |= value << pendingBits;
  pendingBits += width;
  while (pendingBits >= 8) {
    target[position++] = pending;
    pending >>>= 8;
    pendingBits -= 8;
  }
}

/** Writes all codes of `values[from … to)`; the common short ones without leaving the loop. */
function putCodes(values: Float64Array, from: number, to: number, parameter: number): void {
  const mask = parameter < MAX_SHORT ? (1 << parameter) - 1 : 0;
  let accumulated = pending;
  let width = pendingBits;
  let at = position;
  for (let index = from; index < to; index += 1) {
    const value = values[index] as number;
    const quotient = parameter < MAX_SHORT && value < 0x80000000 ? value >>> parameter : MAX_SHORT;
    const length = quotient + 1 + parameter;
    if (length > MAX_SHORT) {
      pending = accumulated;
      pendingBits = width;
      position = at;
      putCode(value, parameter);
      accumulated = pending;
      width = pendingBits;
      at = position;
      continue;
    }
    accumulated |= ((1 << quotient) | ((value & mask) << (quotient + 1))) << width;
    width += length;
    while (width >= 8) {
      target[at++] = accumulated;
      accumulated >>>= 8;
      width -= 8;
    }
  }
  pending = accumulated;
  pendingBits = width;
  position = at;
}

function putCode(value: number, parameter: number): void {
  if (parameter < MAX_SHORT && value < 0x80000000) {
    const zeros = value >>> parameter;
    const length = zeros + 1 + parameter;
    if (length <= MAX_SHORT) {
      putBits((1 << zeros) | ((value & ((1 << parameter) - 1)) << (zeros + 1)), length);
      return;
    }
  }
  const quotient = Math.floor(value / 2 ** parameter);
  if (quotient < ESCAPE) {
    putUnary(quotient);
    putWide(value - quotient * 2 ** parameter, parameter);
  } else {
    putUnary(ESCAPE);
    putWide(value, FULL_BITS);
  }
}

function putUnary(zeros: number): void {
  putBits(0, zeros >>> 1);
  putBits(0, zeros - (zeros >>> 1));
  putBits(1, 1);
}

function putWide(value: number, width: number): void {
  let rest = value;
  for (let left = width; left > 0; left -= FULL_PART) {
    const bits = Math.min(left, FULL_PART);
    putBits(rest % 2 ** bits, bits);
    rest = Math.floor(rest / 2 ** bits);
  }
}

/** Appends `values[from … to)`, integers in 0 … 2^53 − 1, with the parameters that suit them in front. */
export function putRice(writer: ByteWriter, values: Float64Array, from: number, to: number): void {
  const count = to - from;
  histogram.fill(0);
  let longest = 0;
  for (let index = from; index < to; index += 1) {
    const length = bitLength(values[index] as number);
    histogram[length] = (histogram[length] as number) + 1;
    if (length > longest) longest = length;
  }
  const zeros = histogram[0] as number;
  const parameter = bestParameter(0, longest, count);
  target = writer.reserve(count * 10 + 16);
  position = writer.length;
  pending = 0;
  pendingBits = 0;
  const others = count - zeros;
  let withRuns = false;
  if (zeros * 2 > count && longest > 0) {
    const otherParameter = bestParameter(1, longest, others);
    const runParameter = Math.max(0, bitLength(Math.floor(zeros / (others + 1))) - 1);
    const runBits = (others + 1) * (runParameter + 2) + 8;
    withRuns = runBits + estimate(otherParameter, 1, longest) < estimate(parameter, 0, longest);
    if (withRuns) putRuns(values, from, to, otherParameter, runParameter);
  }
  if (!withRuns) {
    target[position++] = parameter;
    putCodes(values, from, to, parameter);
  }
  if (pendingBits > 0) target[position++] = pending;
  writer.length = position;
}

function putRuns(
  values: Float64Array,
  from: number,
  to: number,
  parameter: number,
  runParameter: number,
): void {
  target[position++] = parameter | RUNS;
  target[position++] = runParameter;
  let run = 0;
  for (let index = from; index < to; index += 1) {
    const value = values[index] as number;
    if (value === 0) {
      run += 1;
      continue;
    }
    putCode(run, runParameter);
    putCode(value - 1, parameter);
    run = 0;
  }
  if (run > 0) putCode(run, runParameter);
}

// State of the bit reader. Bits beyond the end read as zeros: they end in the escape's error or in the final check.
let source: Uint8Array = new Uint8Array(0);
let sourceEnd = 0;
let bits = 0;
let bitCount = 0;

function refill(): void {
  while (bitCount < REFILL) {
    const byte = position < sourceEnd ? (source[position] as number) : 0;
    bits |= byte << bitCount;
    position += 1;
    bitCount += 8;
  }
}

function readBits(width: number): number {
  refill();
  const value = bits & ((1 << width) - 1);
  bits >>>= width;
  bitCount -= width;
  return value;
}

function readWide(width: number): number {
  let value = 0;
  let scale = 1;
  for (let left = width; left > 0; left -= FULL_PART) {
    const part = Math.min(left, FULL_PART);
    value += readBits(part) * scale;
    scale *= 2 ** part;
  }
  return value;
}

/** Reads `values[from … to)`; the common short codes without leaving the loop. */
function readCodes(values: Float64Array, from: number, to: number, parameter: number): void {
  const bytes = source;
  const end = sourceEnd;
  const mask = parameter < MAX_SHORT ? (1 << parameter) - 1 : 0;
  let accumulated = bits;
  let width = bitCount;
  let at = position;
  for (let index = from; index < to; index += 1) {
    while (width < REFILL) {
      if (at < end) accumulated |= (bytes[at] as number) << width;
      at += 1;
      width += 8;
    }
    const quotient = 31 - Math.clz32(accumulated & -accumulated);
    const length = quotient + 1 + parameter;
    if (quotient < 0 || length > MAX_SHORT) {
      bits = accumulated;
      bitCount = width;
      position = at;
      values[index] = readCode(parameter);
      accumulated = bits;
      width = bitCount;
      at = position;
      continue;
    }
    values[index] = (quotient << parameter) | ((accumulated >>> (quotient + 1)) & mask);
    accumulated >>>= length;
    width -= length;
  }
  bits = accumulated;
  bitCount = width;
  position = at;
}

function readCode(parameter: number): number {
  refill();
  // Where the lowest one bit stands; −1 when there is none.
  const quotient = 31 - Math.clz32(bits & -bits);
  if (quotient < 0 || quotient > ESCAPE) throw noCode();
  bits >>>= quotient + 1;
  bitCount -= quotient + 1;
  if (quotient === ESCAPE) return readWide(FULL_BITS);
  return quotient * 2 ** parameter + readWide(parameter);
}

function noCode(): FrameError {
  return malformed(`column: no code before byte ${Math.min(position, sourceEnd)}`);
}

/** Reads integers that fill `[start, end)` exactly into `values[from … to)`. Throws FrameError. */
export function readRice(
  bytes: Uint8Array,
  start: number,
  end: number,
  values: Float64Array,
  from: number,
  to: number,
): void {
  if (start >= end) throw truncated('column', start);
  const head = bytes[start] as number;
  const parameter = head & 0x3f;
  if (parameter > MAX_PARAMETER || head > (RUNS | 0x3f)) throw malformed(`column: rice parameter ${head}`);
  source = bytes;
  sourceEnd = end;
  position = start + 1;
  bits = 0;
  bitCount = 0;
  if ((head & RUNS) === 0) {
    readCodes(values, from, to, parameter);
  } else {
    if (position >= end) throw truncated('column', end);
    const runParameter = bytes[position++] as number;
    if (runParameter > MAX_PARAMETER) throw malformed(`column: rice parameter ${runParameter}`);
    readRuns(values, from, to, parameter, runParameter);
  }
  // All bytes were used, and no more: what was read ahead is less than a byte of padding.
  if (position - (bitCount >>> 3) !== end || (bits & ((1 << (bitCount & 7)) - 1)) !== 0) {
    throw malformed('column: codes do not end with the bytes');
  }
  source = new Uint8Array(0);
}

function readRuns(
  values: Float64Array,
  from: number,
  to: number,
  parameter: number,
  runParameter: number,
): void {
  let index = from;
  while (index < to) {
    const run = readCode(runParameter);
    if (run > to - index) throw malformed(`column: a run of ${run} in ${to - index} rows`);
    values.fill(0, index, index + run);
    index += run;
    if (index < to) values[index++] = readCode(parameter) + 1;
  }
}
