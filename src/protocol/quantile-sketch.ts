/**
 * Quantiles of any number of values within 1 % of the exact ones, in little room: values are counted in bins whose
 * bounds grow by a fixed factor (DDSketch: Masson, Rim, Lee, VLDB 2019). Sketches merge exactly, in any order.
 *
 * Rules:
 * - NaN is not counted.
 * - What is nearer to zero than {@link LEAST} counts as zero; the sign of a zero says nothing.
 * - Infinities have bins of their own, and come back as infinities.
 * - A sketch holds at most {@link MAX_BINS} bins: values over some 17 powers of ten. One that would need more gives up
 *   all quantiles (`bins` is null), whatever comes, so that the order of merging changes nothing here either.
 *
 * Encoded, all varints: number of bins (0: gave up; 1: none), then for each bin in the order of its values how far its
 * key is from the one before (the first: zigzag), less one, and its count.
 */
import { type ByteReader, ByteWriter } from './codec/bytes.ts';

export type QuantileSketch = {
  /** Counts by bin; the order of the keys is that of the values. Null: it needs more bins than it may have. */
  bins: Map<number, number> | null;
};

export const MAX_BINS = 2048;
/** The least double with all its digits. */
export const LEAST = 2 ** -1022;

/** A little less than 1 %, so that rounding does not make it more. */
const ERROR = 0.0099;
const GROWTH = (1 + ERROR) / (1 - ERROR);
const BINS_PER_E = 1 / Math.log(GROWTH);
/** Bins of magnitudes are numbered from about −35,800 to 35,900: with this they are all positive. */
const BIAS = 40_000;
const INFINITE = 100_000;

export const createSketch = (): QuantileSketch => ({ bins: new Map() });

/** Key of the value's bin; not for NaN. */
export function binOf(value: number): number {
  const size = Math.abs(value);
  if (size < LEAST) return 0;
  const key = size === Number.POSITIVE_INFINITY ? INFINITE : Math.ceil(Math.log(size) * BINS_PER_E) + BIAS;
  return value < 0 ? -key : key;
}

/** Within 1 % of every value in the bin. */
function middleOf(key: number): number {
  if (key === 0) return 0;
  const size = Math.abs(key);
  if (size === INFINITE) return key < 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const middle = Math.exp((size - BIAS) / BINS_PER_E) * (2 / (1 + GROWTH));
  const value = Math.min(middle, Number.MAX_VALUE);
  return key < 0 ? -value : value;
}

/** Counts `value`, so many `times`. */
export function addToSketch(sketch: QuantileSketch, value: number, times = 1): void {
  if (!Number.isNaN(value)) addToBin(sketch, binOf(value), times);
}

/** Counts values of the bin with this key. */
export function addToBin(sketch: QuantileSketch, key: number, times: number): void {
  const { bins } = sketch;
  if (bins === null) return;
  bins.set(key, (bins.get(key) ?? 0) + times);
  if (bins.size > MAX_BINS) sketch.bins = null;
}

export function mergeSketch(into: QuantileSketch, { bins }: QuantileSketch): void {
  if (bins === null) into.bins = null;
  else for (const [key, count] of bins) addToBin(into, key, count);
}

/**
 * For each of `shares` (0 … 1, ascending) the value of that rank: of n values the one at place ⌈share × n⌉, at least
 * the first. Null for all where there are no values, or they are not known.
 */
export function quantilesOf({ bins }: QuantileSketch, shares: readonly number[]): readonly (number | null)[] {
  if (bins === null || bins.size === 0) return shares.map(() => null);
  const sorted = [...bins].sort(([one], [other]) => one - other);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  let at = 0;
  let seen = sorted[0]?.[1] ?? 0;
  return shares.map((share) => {
    const rank = Math.max(1, Math.ceil(share * total));
    while (seen < rank && at + 1 < sorted.length) {
      at += 1;
      seen += sorted[at]?.[1] ?? 0;
    }
    return middleOf(sorted[at]?.[0] ?? 0);
  });
}

export function putSketch(writer: ByteWriter, { bins }: QuantileSketch): void {
  if (bins === null) {
    writer.varint(0);
    return;
  }
  const sorted = [...bins].sort(([one], [other]) => one - other);
  writer.varint(sorted.length + 1);
  let last: number | null = null;
  for (const [key, count] of sorted) {
    if (last === null) writer.signed(key);
    else writer.varint(key - last - 1);
    writer.varint(count);
    last = key;
  }
}

/** Adds an encoded sketch to `into`. Throws FrameError for what is none. */
export function readSketch(reader: ByteReader, into: QuantileSketch): void {
  const length = reader.varint('number of bins');
  if (length === 0) into.bins = null;
  let key = 0;
  for (let bin = 1; bin < length; bin += 1) {
    key = bin === 1 ? reader.signed('first bin') : key + 1 + reader.varint('bin');
    addToBin(into, key, reader.varint('count of a bin'));
  }
}

export function encodeSketch(sketch: QuantileSketch): Uint8Array {
  const writer = new ByteWriter();
  putSketch(writer, sketch);
  return writer.view().slice();
}
