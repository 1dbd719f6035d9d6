/** Writing Rice codes with parameters that suit them; `rice.ts` says what they are. */
import type { ByteWriter } from './bytes.ts';
import { ESCAPE, FULL_BITS, FULL_PART, MAX_PARAMETER, MAX_SHORT, RUNS } from './rice.ts';

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
