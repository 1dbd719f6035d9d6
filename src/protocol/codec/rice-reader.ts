/** Reading Rice codes; `rice.ts` says what they are. */
import { type FrameError, MAX_FRAME_SAMPLES } from '../frame.ts';
import { malformed, truncated } from './bytes.ts';
import { ESCAPE, FULL_BITS, FULL_PART, MAX_PARAMETER, MAX_SHORT, RUNS } from './rice.ts';

/** Bits that a refill of the decoder guarantees. */
const REFILL = 25;

// State of the bit reader. Bits beyond the end read as zeros: they end in the escape's error or in the final check.
let source: Uint8Array = new Uint8Array(0);
let position = 0;
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
  if (quotient === ESCAPE) {
    sawEscape = true;
    return readWide(FULL_BITS);
  }
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
  const head = begin(bytes, start, end);
  const parameter = head & 0x3f;
  if ((head & RUNS) === 0) readCodes(values, from, to, parameter);
  else readRuns(values, from, to, parameter, runParameterOf(end));
  finish(end);
}

/** Codes as they were read: `runs[i]` zeros, where there are runs, then `codes[i]`. The arrays are scratch. */
export type RiceSteps = {
  readonly codes: Float64Array;
  readonly runs: Float64Array | null;
  readonly length: number;
  /** No code is larger. Infinity: one was written in full. */
  readonly largest: number;
};

const stepCodes = new Float64Array(MAX_FRAME_SAMPLES);
const stepRuns = new Float64Array(MAX_FRAME_SAMPLES);
let sawEscape = false;

/** Throws where `readRice` does, for so many integers. A run of zeros costs no more than its code. */
export function checkRice(bytes: Uint8Array, start: number, end: number, count: number): RiceSteps {
  const head = begin(bytes, start, end);
  const parameter = head & 0x3f;
  const hasRuns = (head & RUNS) !== 0;
  sawEscape = false;
  let length = count;
  if (hasRuns) length = checkRuns(count, parameter, runParameterOf(end));
  else readCodes(stepCodes, 0, count, parameter);
  finish(end);
  const largest = sawEscape ? Number.POSITIVE_INFINITY : (ESCAPE + 1) * 2 ** parameter;
  return { codes: stepCodes, runs: hasRuns ? stepRuns : null, length, largest };
}

/** Sets the bit reader to what is behind the first byte, and gives that. */
function begin(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) throw truncated('column', start);
  const head = bytes[start] as number;
  if ((head & 0x3f) > MAX_PARAMETER || head > (RUNS | 0x3f))
    throw malformed(`column: rice parameter ${head}`);
  source = bytes;
  sourceEnd = end;
  position = start + 1;
  bits = 0;
  bitCount = 0;
  return head;
}

function runParameterOf(end: number): number {
  if (position >= end) throw truncated('column', end);
  const parameter = source[position++] as number;
  if (parameter > MAX_PARAMETER) throw malformed(`column: rice parameter ${parameter}`);
  return parameter;
}

function finish(end: number): void {
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

/** Returns how many steps there are; the last one may have no code, which is then 0. */
function checkRuns(count: number, parameter: number, runParameter: number): number {
  let left = count;
  let length = 0;
  for (; left > 0; length += 1) {
    const run = readCode(runParameter);
    if (run > left) throw malformed(`column: a run of ${run} in ${left} rows`);
    left -= run;
    stepRuns[length] = run;
    stepCodes[length] = 0;
    if (left > 0) {
      stepCodes[length] = readCode(parameter) + 1;
      left -= 1;
    }
  }
  return length;
}
