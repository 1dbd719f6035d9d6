/** One column of values: decimal scaling when it is exact, raw doubles when not; presence when sparse. */
import { MAX_FRAME_SAMPLES } from '../frame.ts';
import { type ByteWriter, malformed, truncated } from './bytes.ts';
import { checkIntegers, ENCODING, putIntegers, readIntegers } from './integers.ts';
import { checkRaw, putRaw, readRaw } from './raw.ts';

const MAX_SCALE = 15;
/** 10^0 … 10^15, each exact. */
const POWERS = Float64Array.from({ length: MAX_SCALE + 1 }, (_, scale) => Number(`1e${scale}`));
const SPARSE = 0x80;

const gathered = new Float64Array(MAX_FRAME_SAMPLES);
const integers = new Float64Array(MAX_FRAME_SAMPLES);

/**
 * Scales `values` to integers, in `integers`, by the least power of ten that makes every one exact: dividing gives the
 * same double back. Returns that power, or -1 when there is none.
 */
function scaleExactly(values: Float64Array, count: number): number {
  let scale = 0;
  let power = 1;
  /** Values before this index were scaled by less, and are scaled again at the end. */
  let settled = 0;
  let largest = 0;
  for (let index = 0; index < count; index += 1) {
    const value = values[index] as number;
    let integer = Math.round(value * power);
    while (integer / power !== value) {
      scale += 1;
      // NaN and the infinities never compare equal, so they end here too.
      if (scale > MAX_SCALE) return -1;
      power = POWERS[scale] as number;
      integer = Math.round(value * power);
      settled = index;
    }
    if (integer === 0 && Object.is(value, -0)) return -1;
    const magnitude = integer < 0 ? -integer : integer;
    if (magnitude > largest) largest = magnitude;
    integers[index] = integer;
  }
  for (let index = 0; index < settled; index += 1) {
    const value = values[index] as number;
    const integer = Math.round(value * power);
    if (integer / power !== value) return -1;
    const magnitude = integer < 0 ? -integer : integer;
    if (magnitude > largest) largest = magnitude;
    integers[index] = integer;
  }
  return largest <= Number.MAX_SAFE_INTEGER ? scale : -1;
}

/** Least power of ten, up to `maxScale` ≤ 15, that makes `value` an exact integer, or -1. */
export function scaleOf(value: number, maxScale: number): number {
  for (let scale = 0; scale <= maxScale; scale += 1) {
    const power = POWERS[scale] as number;
    const integer = Math.round(value * power);
    if (!Number.isSafeInteger(integer)) return -1;
    if (integer / power === value) return integer === 0 && Object.is(value, -0) ? -1 : scale;
  }
  return -1;
}

export function scaled(value: number, scale: number): number {
  return Math.round(value * (POWERS[scale] as number));
}

export function unscaled(integer: number, scale: number): number {
  return integer / (POWERS[scale] as number);
}

/** Appends one column of `rows` values and returns its mode byte. `present` is null when every value is there. */
export function putColumn(
  writer: ByteWriter,
  values: Float64Array,
  present: Uint8Array | null,
  rows: number,
): number {
  let sparse = 0;
  let source = values;
  let count = rows;
  if (present !== null) {
    count = 0;
    for (let row = 0; row < rows; row += 1) {
      if (present[row] !== 0) gathered[count++] = values[row] as number;
    }
    if (count === 0) return ENCODING.absent << 4;
    if (count < rows) {
      sparse = SPARSE;
      putBitmap(writer, present, rows);
    }
    source = gathered;
  }
  const scale = scaleExactly(source, count);
  const encoding = scale >= 0 ? putIntegers(writer, integers, count) : -1;
  if (encoding >= 0) return sparse | (encoding << 4) | scale;
  putRaw(writer, source, count);
  return sparse | (ENCODING.raw << 4);
}

function putBitmap(writer: ByteWriter, present: Uint8Array, rows: number): void {
  const length = (rows + 7) >>> 3;
  const bytes = writer.reserve(length);
  const start = writer.length;
  bytes.fill(0, start, start + length);
  for (let row = 0; row < rows; row += 1) {
    if (present[row] !== 0) {
      const at = start + (row >>> 3);
      bytes[at] = (bytes[at] as number) | (1 << (row & 7));
    }
  }
  writer.length = start + length;
}

export function isSparse(mode: number): boolean {
  return (mode & SPARSE) !== 0 || ((mode >>> 4) & 7) === ENCODING.absent;
}

/**
 * Reads `rows` values that fill `[start, end)` exactly. `present` must be given when the mode is sparse; NaN stands for
 * absent.
 */
export function readColumn(
  bytes: Uint8Array,
  start: number,
  end: number,
  mode: number,
  rows: number,
  values: Float64Array,
  present: Uint8Array,
): void {
  const encoding = (mode >>> 4) & 7;
  const scale = mode & 15;
  if (encoding === ENCODING.absent) {
    if (start !== end || mode !== ENCODING.absent << 4) throw malformed('column: bytes in an empty column');
    values.fill(Number.NaN, 0, rows);
    present.fill(0, 0, rows);
    return;
  }
  let at = start;
  let count = rows;
  if ((mode & SPARSE) !== 0) {
    at += (rows + 7) >>> 3;
    if (at > end) throw truncated('presence', end);
    count = 0;
    for (let row = 0; row < rows; row += 1) {
      const bit = ((bytes[start + (row >>> 3)] as number) >>> (row & 7)) & 1;
      present[row] = bit;
      count += bit;
    }
    if (count === 0) throw malformed('presence: no value in a sparse column');
  }
  if (encoding === ENCODING.raw) {
    if (scale !== 0) throw malformed('column: raw doubles have no scale');
    readRaw(bytes, at, end, count, values);
  } else {
    readIntegers(bytes, at, end, encoding, count, POWERS[scale] as number, values);
  }
  if (count < rows) spread(values, present, rows, count);
}

/** Throws where `readColumn` does, makes no values, and costs in proportion to the bytes. */
export function checkColumn(bytes: Uint8Array, start: number, end: number, mode: number, rows: number): void {
  const encoding = (mode >>> 4) & 7;
  if (encoding === ENCODING.absent) {
    if (start !== end || mode !== ENCODING.absent << 4) throw malformed('column: bytes in an empty column');
    return;
  }
  const isPresent = (mode & SPARSE) === 0;
  const at = isPresent ? start : start + ((rows + 7) >>> 3);
  if (at > end) throw truncated('presence', end);
  const count = isPresent ? rows : countPresent(bytes, start, rows);
  if (encoding !== ENCODING.raw) checkIntegers(bytes, at, end, encoding, count);
  else if ((mode & 15) !== 0) throw malformed('column: raw doubles have no scale');
  else checkRaw(at, end, count);
}

function countPresent(bytes: Uint8Array, start: number, rows: number): number {
  let count = 0;
  for (let row = 0; row < rows; row += 1) count += ((bytes[start + (row >>> 3)] as number) >>> (row & 7)) & 1;
  if (count === 0) throw malformed('presence: no value in a sparse column');
  return count;
}

/** Moves the first `count` values to the rows that are present, from the back so that none is overwritten. */
function spread(values: Float64Array, present: Uint8Array, rows: number, count: number): void {
  let from = count;
  for (let row = rows - 1; row >= 0; row -= 1) {
    values[row] = present[row] === 0 ? Number.NaN : (values[--from] as number);
  }
}
