/**
 * Single numbers: a code of four bits and its data. Code 0 … 6: a non-negative decimal with that many places, as an
 * unsigned varint of the digits; 7 … 13: the same with a minus sign; 14: no value; 15: eight raw bytes.
 */
import { type ByteReader, type ByteWriter, malformed } from './bytes.ts';
import { scaled, scaleOf, unscaled } from './column.ts';

const MAX_PLACES = 6;
const NEGATIVE = 7;
export const CODE_NONE = 14;
const CODE_RAW = 15;
/** More digits than this are shorter raw: a varint of nine bytes loses against eight. */
const MAX_DIGITS = 2 ** 49;

/** The code that `value` is written with. */
export function codeOf(value: number | null): number {
  if (value === null) return CODE_NONE;
  const places = scaleOf(value, MAX_PLACES);
  if (places < 0 || Math.abs(scaled(value, places)) >= MAX_DIGITS) return CODE_RAW;
  return value < 0 ? places + NEGATIVE : places;
}

/** Appends the data of `value`, to be read with its code. */
export function putCoded(writer: ByteWriter, code: number, value: number): void {
  if (code === CODE_NONE) return;
  if (code === CODE_RAW) writer.float64(Number.isNaN(value) ? Number.NaN : value);
  else if (code < NEGATIVE) writer.varint(scaled(value, code));
  else writer.varint(-scaled(value, code - NEGATIVE));
}

/** NaN for `CODE_NONE`. */
export function readCoded(reader: ByteReader, code: number, what: string): number {
  if (code === CODE_NONE) return Number.NaN;
  if (code === CODE_RAW) return reader.float64(what);
  return code < NEGATIVE
    ? unscaled(reader.varint(what), code)
    : -unscaled(reader.varint(what), code - NEGATIVE);
}

/** A number by itself: a byte with its code, then the data. */
export function putNumber(writer: ByteWriter, value: number): void {
  const code = codeOf(value);
  writer.u8(code);
  putCoded(writer, code, value);
}

export function readNumber(reader: ByteReader, what: string): number {
  const code = reader.u8(what);
  if (code > CODE_RAW || code === CODE_NONE) throw malformed(`${what}: number code ${code}`);
  return readCoded(reader, code, what);
}
