/**
 * Runs of integers: constant, linear, or the cheapest of what remains after prediction, in Rice codes.
 *
 * Order 0 predicts one base value, order 1 the value before plus a drift, order 2 the line through the two before. All
 * arithmetic is on doubles that stay within ±2^53, so it is exact.
 */
import { type FrameError, MAX_FRAME_SAMPLES } from '../frame.ts';
import { ByteReader, type ByteWriter, malformed } from './bytes.ts';
import { checkRice, type RiceSteps, readRice } from './rice-reader.ts';
import { putRice } from './rice-writer.ts';

/** How a column is written; bits 4 … 6 of its mode byte. */
export const ENCODING = {
  /** signed value */
  constant: 0,
  /** signed first value, signed step */
  linear: 1,
  /** signed base, codes of all differences from it */
  order0: 2,
  /** signed first value, signed drift, codes of the differences less the drift */
  order1: 3,
  /** signed first value, signed first difference, codes of the differences of differences */
  order2: 4,
  /** Raw doubles, each XORed with the one before. */
  raw: 5,
  /** No value at all. */
  absent: 6,
} as const;

/** Integers that span more go raw: their differences, doubled for the sign, would not stay exact. */
const MAX_SPAN = 2 ** 51;
/** How many differences the drift is the median of. */
const MAX_PROBES = 15;

const codes = new Float64Array(MAX_FRAME_SAMPLES);
const probes = new Float64Array(MAX_PROBES);

/** About the bits that a zigzag code of `delta` carries. */
function cost(delta: number): number {
  const magnitude = delta < 0 ? -delta : delta;
  return magnitude < 0x7fffffff ? 32 - Math.clz32(magnitude) : 64 - Math.clz32(magnitude / 0x100000000);
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

/** Median of some differences at distance `lag` (0: of the values themselves), robust against jumps. */
function typical(values: Float64Array, count: number, lag: 0 | 1): number {
  const available = count - lag;
  const used = Math.min(MAX_PROBES, available);
  for (let probe = 0; probe < used; probe += 1) {
    const index = Math.floor((probe * available) / used) + lag;
    const value = (values[index] as number) - (lag === 1 ? (values[index - 1] as number) : 0);
    let at = probe;
    for (; at > 0 && (probes[at - 1] as number) > value; at -= 1) probes[at] = probes[at - 1] as number;
    probes[at] = value;
  }
  return probes[used >>> 1] as number;
}

/** Appends `count` ≥ 1 safe integers and returns their encoding; -1, with nothing appended, when they must go raw. */
export function putIntegers(writer: ByteWriter, values: Float64Array, count: number): number {
  const first = values[0] as number;
  const step = count > 1 ? (values[1] as number) - first : 0;
  let previous = first;
  let minimum = first;
  let maximum = first;
  let isLinear = true;
  for (let index = 1; index < count; index += 1) {
    const value = values[index] as number;
    if (value - previous !== step) isLinear = false;
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
    previous = value;
  }
  if (minimum === maximum) {
    writer.signed(first);
    return ENCODING.constant;
  }
  if (maximum - minimum > MAX_SPAN) return -1;
  if (isLinear) {
    writer.signed(first);
    writer.signed(step);
    return ENCODING.linear;
  }
  return putPredicted(writer, values, count);
}

function putPredicted(writer: ByteWriter, values: Float64Array, count: number): number {
  const base = typical(values, count, 0);
  const drift = typical(values, count, 1);
  let previous = values[0] as number;
  let previousDelta = (values[1] as number) - previous;
  let cost0 = cost(previous - base);
  let cost1 = 0;
  let cost2 = 0;
  for (let index = 1; index < count; index += 1) {
    const value = values[index] as number;
    const delta = value - previous;
    cost0 += cost(value - base);
    cost1 += cost(delta - drift);
    cost2 += cost(delta - previousDelta);
    previous = value;
    previousDelta = delta;
  }
  if (cost0 <= cost1 && cost0 <= cost2) {
    for (let index = 0; index < count; index += 1) codes[index] = zigzag((values[index] as number) - base);
    writer.signed(base);
    putRice(writer, codes, 0, count);
    return ENCODING.order0;
  }
  const isOrder1 = cost1 <= cost2;
  const first = values[0] as number;
  const firstDelta = (values[1] as number) - first;
  let expected = isOrder1 ? drift : firstDelta;
  previous = first;
  for (let index = 1; index < count; index += 1) {
    const value = values[index] as number;
    const delta = value - previous;
    codes[index] = zigzag(delta - expected);
    previous = value;
    if (!isOrder1) expected = delta;
  }
  writer.signed(first);
  writer.signed(isOrder1 ? drift : firstDelta);
  putRice(writer, codes, isOrder1 ? 1 : 2, count);
  return isOrder1 ? ENCODING.order1 : ENCODING.order2;
}

/**
 * Reads `count` ≥ 1 integers that fill `[start, end)` exactly and puts each, divided by `power`, into `out`. In bytes
 * made by an enemy they are not always safe integers: callers check ranges where they matter. Throws FrameError.
 */
export function readIntegers(
  bytes: Uint8Array,
  start: number,
  end: number,
  encoding: number,
  count: number,
  power: number,
  out: Float64Array,
): void {
  const reader = new ByteReader(bytes, start, end);
  const first = reader.signed('column');
  if (encoding === ENCODING.constant) {
    if (reader.remaining > 0) throw malformed(`column: ${reader.remaining} bytes too many`);
    out.fill(first / power, 0, count);
    return;
  }
  if (encoding === ENCODING.order0) {
    readRice(bytes, reader.offset, end, out, 0, count);
    for (let index = 0; index < count; index += 1) {
      const code = out[index] as number;
      out[index] = (first + unzigzag(code)) / power;
    }
    return;
  }
  let delta = reader.signed('column');
  let value = first;
  out[0] = first / power;
  if (encoding === ENCODING.linear) {
    if (reader.remaining > 0) throw malformed(`column: ${reader.remaining} bytes too many`);
    for (let index = 1; index < count; index += 1) {
      value += delta;
      out[index] = value / power;
    }
  } else if (encoding === ENCODING.order1) {
    readRice(bytes, reader.offset, end, out, 1, count);
    for (let index = 1; index < count; index += 1) {
      value += delta + unzigzag(out[index] as number);
      out[index] = value / power;
    }
  } else if (encoding === ENCODING.order2 && count > 1) {
    readRice(bytes, reader.offset, end, out, 2, count);
    out[1] = 0;
    for (let index = 1; index < count; index += 1) {
      delta += unzigzag(out[index] as number);
      value += delta;
      out[index] = value / power;
    }
  } else throw undefinedEncoding(encoding);
}

/**
 * Throws where `readIntegers` does, and where an integer, a difference or a code is beyond 2^53 − 1 either way: readers
 * would round it, each in its own way. It costs in proportion to the bytes.
 */
export function checkIntegers(
  bytes: Uint8Array,
  start: number,
  end: number,
  encoding: number,
  count: number,
): void {
  const reader = new ByteReader(bytes, start, end);
  const first = reader.signed('column');
  if (encoding === ENCODING.order0) {
    checkSums({ order: 0, first, step: 0 }, checkRice(bytes, reader.offset, end, count), count);
    return;
  }
  const step = encoding === ENCODING.constant ? 0 : reader.signed('column');
  if (encoding === ENCODING.order1) {
    checkSums({ order: 1, first, step }, checkRice(bytes, reader.offset, end, count - 1), count);
  } else if (encoding === ENCODING.order2 && count > 1) {
    checkSums({ order: 2, first, step }, checkRice(bytes, reader.offset, end, count - 2), count);
  } else if (encoding !== ENCODING.constant && encoding !== ENCODING.linear)
    throw undefinedEncoding(encoding);
  else if (reader.remaining > 0) throw malformed(`column: ${reader.remaining} bytes too many`);
  else checkExact(first + step * (count - 1));
}

type Prediction = { readonly order: 0 | 1 | 2; readonly first: number; readonly step: number };

/** Within a run of zeros the integers lie on a line: its end is enough. */
function checkSums({ order, first, step }: Prediction, steps: RiceSteps, count: number): void {
  const { codes, runs, length, largest } = steps;
  const perRow = Math.abs(step) + largest * (order === 2 ? count : 1);
  // Nearly all columns: whatever their codes are.
  if (Math.abs(first) + perRow * count <= Number.MAX_SAFE_INTEGER) return;
  let delta = order === 0 ? 0 : step;
  let value = order === 2 ? first + delta : first;
  checkExact(value);
  let left = count - order;
  for (let index = 0; index < length; index += 1) {
    const run = runs === null ? 0 : (runs[index] as number);
    value += delta * run;
    checkExact(value);
    left -= run;
    if (left === 0) return;
    left -= 1;
    const code = codes[index] as number;
    checkExact(code);
    const difference = unzigzag(code);
    if (order === 0) {
      checkExact(first + difference);
      continue;
    }
    if (order === 2) {
      delta += difference;
      checkExact(delta);
    }
    value += order === 2 ? delta : delta + difference;
    checkExact(value);
  }
}

function checkExact(integer: number): void {
  if (!Number.isSafeInteger(integer)) throw malformed(`column: ${integer} goes beyond 2^53 − 1`);
}

function undefinedEncoding(encoding: number): FrameError {
  return malformed(`column: encoding ${encoding} is not defined`);
}

function unzigzag(code: number): number {
  if (code < 0x80000000) return (code >>> 1) ^ -(code & 1);
  return code % 2 === 0 ? code / 2 : -(code + 1) / 2;
}
