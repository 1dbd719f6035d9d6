/**
 * Runs of integers: the cheapest of constant, linear, and zigzag varints of delta order 0, 1 or 2.
 *
 * All arithmetic is on doubles that stay within ±2^53, so it is exact.
 */
import { ByteReader, type ByteWriter, malformed, putSigned, truncated } from './bytes.ts';

/** How a column is written; bits 4 … 6 of its mode byte. */
export const ENCODING = {
  constant: 0,
  linear: 1,
  order0: 2,
  order1: 3,
  order2: 4,
  /** Raw doubles, each XORed with the one before. */
  raw: 5,
  /** No value at all. */
  absent: 6,
} as const;

/** Differences stay exact while the values span no more than this. */
const MAX_SPAN_ORDER_1 = Number.MAX_SAFE_INTEGER;
const MAX_SPAN_ORDER_2 = 2 ** 51;

/** About the bits that a zigzag varint of `delta` carries: what remains after entropy coding. */
function cost(delta: number): number {
  const magnitude = delta < 0 ? -delta : delta;
  return magnitude < 0x7fffffff ? 32 - Math.clz32(magnitude) : 64 - Math.clz32(magnitude / 0x100000000);
}

/** Appends `count` ≥ 1 safe integers and returns their encoding. */
export function putIntegers(writer: ByteWriter, values: Float64Array, count: number): number {
  const first = values[0] as number;
  let previous = first;
  let previousDelta = 0;
  let minimum = first;
  let maximum = first;
  let cost0 = cost(first);
  let cost1 = 0;
  let cost2 = 0;
  const stride = count > 1 ? (values[1] as number) - first : 0;
  let isLinear = true;
  for (let index = 1; index < count; index += 1) {
    const value = values[index] as number;
    const delta = value - previous;
    cost0 += cost(value);
    cost1 += cost(delta);
    cost2 += cost(delta - previousDelta);
    if (delta !== stride) isLinear = false;
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
    previous = value;
    previousDelta = delta;
  }
  if (minimum === maximum) {
    writer.signed(first);
    return ENCODING.constant;
  }
  const span = maximum - minimum;
  if (isLinear && span <= MAX_SPAN_ORDER_1) {
    writer.signed(first);
    writer.signed(stride);
    return ENCODING.linear;
  }
  cost1 += cost(first);
  cost2 += cost(first);
  if (span <= MAX_SPAN_ORDER_2 && cost2 < cost1 && cost2 < cost0) {
    putOrder2(writer, values, count);
    return ENCODING.order2;
  }
  if (span <= MAX_SPAN_ORDER_1 && cost1 < cost0) {
    putOrder1(writer, values, count);
    return ENCODING.order1;
  }
  putOrder0(writer, values, count);
  return ENCODING.order0;
}

function putOrder0(writer: ByteWriter, values: Float64Array, count: number): void {
  const bytes = writer.reserve(count * 8);
  let at = writer.length;
  for (let index = 0; index < count; index += 1) at = putSigned(bytes, at, values[index] as number);
  writer.length = at;
}

function putOrder1(writer: ByteWriter, values: Float64Array, count: number): void {
  const bytes = writer.reserve(count * 8);
  let at = writer.length;
  let previous = 0;
  for (let index = 0; index < count; index += 1) {
    const value = values[index] as number;
    at = putSigned(bytes, at, value - previous);
    previous = value;
  }
  writer.length = at;
}

function putOrder2(writer: ByteWriter, values: Float64Array, count: number): void {
  const bytes = writer.reserve(count * 8);
  let previous = values[0] as number;
  let at = putSigned(bytes, writer.length, previous);
  let previousDelta = 0;
  for (let index = 1; index < count; index += 1) {
    const value = values[index] as number;
    const delta = value - previous;
    at = putSigned(bytes, at, delta - previousDelta);
    previous = value;
    previousDelta = delta;
  }
  writer.length = at;
}

/**
 * Reads `count` ≥ 1 integers that fill `[start, end)` exactly into `out`. What is read is an integer, but in bytes made
 * by an enemy not always a safe one: callers check ranges where they matter.
 */
export function readIntegers(
  bytes: Uint8Array,
  start: number,
  end: number,
  encoding: number,
  count: number,
  out: Float64Array,
): void {
  if (encoding === ENCODING.constant || encoding === ENCODING.linear) {
    const reader = new ByteReader(bytes, start, end);
    let value = reader.signed('column');
    const stride = encoding === ENCODING.linear ? reader.signed('column') : 0;
    if (reader.remaining > 0) throw malformed(`column: ${reader.remaining} bytes too many`);
    for (let index = 0; index < count; index += 1) {
      out[index] = value;
      value += stride;
    }
    return;
  }
  if (encoding < ENCODING.order0 || encoding > ENCODING.order2) {
    throw malformed(`column: encoding ${encoding} is not defined`);
  }
  let at = start;
  for (let index = 0; index < count; index += 1) {
    if (at >= end) throw truncated('column', at);
    let byte = bytes[at++] as number;
    if (byte < 128) {
      out[index] = (byte >>> 1) ^ -(byte & 1);
      continue;
    }
    // The first byte holds the sign and 6 bits; up to 27 bits stay in 32-bit arithmetic.
    const sign = byte & 1;
    let magnitude = (byte & 127) >>> 1;
    let shift = 6;
    do {
      if (at >= end) throw truncated('column', at);
      byte = bytes[at++] as number;
      magnitude |= (byte & 127) << shift;
      shift += 7;
    } while (byte >= 128 && shift < 27);
    if (byte >= 128) {
      let scale = 2 ** shift;
      do {
        if (at >= end) throw truncated('column', at);
        byte = bytes[at++] as number;
        magnitude += (byte & 127) * scale;
        scale *= 128;
      } while (byte >= 128 && scale < 2 ** 55);
      if (byte >= 128) throw malformed('column: an integer longer than 8 bytes');
    }
    out[index] = sign === 1 ? -magnitude - 1 : magnitude;
  }
  if (at !== end) throw malformed(`column: ${end - at} bytes too many`);
  if (encoding === ENCODING.order1) {
    let value = 0;
    for (let index = 0; index < count; index += 1) {
      value += out[index] as number;
      out[index] = value;
    }
  } else if (encoding === ENCODING.order2) {
    let value = out[0] as number;
    let delta = 0;
    for (let index = 1; index < count; index += 1) {
      delta += out[index] as number;
      value += delta;
      out[index] = value;
    }
  }
}
