/**
 * A part of a rollup: statistics of all series of one schema in some buckets of one block. What a block holds is what
 * its parts hold together.
 *
 *     version u8 = 1 · number of buckets varint
 *     the first, as offset in the block, varint · for each other how far it is from the one before, less one, varint
 *     samples of each bucket (figures)
 *     number of columns varint · length of each column varint · the columns
 *     how the sketches are kept u8: 0 none, 1 plain, 2 zstd · length of the sketches of each column varint · these
 *
 * A column: flags u8, then figures of the buckets:
 *
 *     1  counts, where they are not those of all samples       2  numbers, where they are not the counts
 *     4  thinned counts, and how far they reach beyond the start of their bucket, ms
 *     8  plain: min, max, sum, squares, huge sum as doubles, of the buckets that have numbers; else scale u8, and
 *        whole numbers: min, max − min, 2 × sum − numbers × (min + max), all × 10^scale; and the squares:
 *        × numbers × 10^(2 × scale), unless flag 16 says that they are doubles
 *
 * Figures: mode u8 · length varint · a column of the frame codec. Sums of decimals are kept as the decimals that they
 * are; other sums with the digits of a double.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ByteReader, ByteWriter, malformed } from '../../protocol/codec/bytes.ts';
import { putColumn, readColumn, scaled, scaleOf } from '../../protocol/codec/column.ts';
import { putSketch, type QuantileSketch, readSketch } from '../../protocol/quantile-sketch.ts';
import type { Statistics } from '../../protocol/statistics.ts';
import { MAX_BUCKETS_A_BLOCK } from './resolutions.ts';

/** Statistics with what the buckets of rollups have beyond them. */
export type RollupStatistics = Statistics & {
  /** Latest time that thinned values of the bucket reach to, ms after its start; 0 where there are none. */
  readonly reach: Float64Array;
};

export type RollupPart = {
  /** Of the buckets, in the block, ascending. */
  readonly offsets: Float64Array;
  /** Samples of each bucket. */
  readonly samples: Float64Array;
  readonly columns: number;
  /** Statistics of the buckets; `into` has one entry for each of them, all empty. */
  readonly read: (column: number, into: RollupStatistics) => void;
  /** Adds the sketches of the buckets to `into`, one for each of them. Nothing where none are kept. */
  readonly readSketches: (column: number, into: readonly QuantileSketch[]) => void;
};

const VERSION = 1;
const COUNTS = 1;
const NUMBERS = 2;
const THINNED = 4;
const PLAIN = 8;
const PLAIN_SQUARES = 16;
const MAX_SCALE = 15;
/**
 * What the values, which are decimals only nearly, may add up to beside the decimal: a share of the sum, and of the
 * largest of them by the root of their number, as each is beside its own by chance.
 */
const SUM_NOISE = 2 ** -50;
const VALUE_NOISE = 2 ** -52;
/** What rounding takes of squares anyway; beyond it they are in doubt by what the values are beside decimals. */
const SQUARES_NOISE = 1e-13;
const ZSTD_LEVEL = 3;

const scratch = new ByteWriter();
const ALL_PRESENT = new Uint8Array(0);

function putFigures(writer: ByteWriter, values: Float64Array): void {
  const part = scratch.reset();
  const mode = putColumn(part, values, null, values.length);
  writer.u8(mode);
  writer.varint(part.length);
  writer.raw(part.view());
}

function readFigures(reader: ByteReader, rows: number): Float64Array {
  const mode = reader.u8('mode of figures');
  const length = reader.varint('length of figures');
  const start = reader.skip(length, 'figures');
  const values = new Float64Array(rows);
  if (rows > 0) readColumn(reader.bytes, start, start + length, mode, rows, values, ALL_PRESENT);
  return values;
}

export type PartWriter = {
  /** The next column, from entry `start` of the statistics on, with a sketch for each bucket where they are kept. */
  readonly add: (
    statistics: RollupStatistics,
    start: number,
    sketches: readonly QuantileSketch[] | null,
  ) => void;
  readonly finish: () => Uint8Array;
};

/** `offsets`, `samples`: of its buckets, see {@link RollupPart}. */
export function createPartWriter(offsets: Float64Array, samples: Float64Array): PartWriter {
  const rows = offsets.length;
  const [columns, sketched] = [new ByteWriter(), new ByteWriter()];
  const [lengths, sketchLengths]: [number[], number[]] = [[], []];
  return {
    add: (statistics, start, sketches) => {
      const before = columns.length;
      putStatistics(columns, statistics, start, samples);
      lengths.push(columns.length - before);
      if (sketches === null) return;
      const from = sketched.length;
      for (let row = 0; row < rows; row += 1) putSketch(sketched, sketches[start + row] ?? { bins: null });
      sketchLengths.push(sketched.length - from);
    },
    finish: () => {
      const writer = new ByteWriter();
      writer.u8(VERSION);
      writer.varint(rows);
      let last = -1;
      for (const offset of offsets) {
        writer.varint(offset - last - 1);
        last = offset;
      }
      putFigures(writer, samples);
      writer.varint(lengths.length);
      for (const length of lengths) writer.varint(length);
      writer.raw(columns.view());
      const packed = sketchLengths.length === 0 ? null : compressed(sketched.view());
      writer.u8(sketchLengths.length === 0 ? 0 : packed === null ? 1 : 2);
      for (const length of sketchLengths) writer.varint(length);
      writer.raw(packed ?? sketched.view());
      return writer.view().slice();
    },
  };
}

/** Null where that is not smaller. */
function compressed(bytes: Uint8Array): Uint8Array | null {
  const packed = zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });
  return packed.length < bytes.length ? packed : null;
}

type Numbers = {
  /** Entries of the statistics that have numbers. */
  readonly places: readonly number[];
  readonly of: (figure: Float64Array) => Float64Array;
};

function numbersOf({ numbers }: RollupStatistics, start: number, rows: number): Numbers {
  const places: number[] = [];
  for (let at = start; at < start + rows; at += 1) if (numbers[at] !== 0) places.push(at);
  return { places, of: (figure) => Float64Array.from(places, (at) => figure[at] as number) };
}

function putStatistics(
  writer: ByteWriter,
  statistics: RollupStatistics,
  start: number,
  samples: Float64Array,
): void {
  const rows = samples.length;
  const part = (figure: Float64Array) => figure.subarray(start, start + rows);
  const [counts, numbers, thinned] = [
    part(statistics.counts),
    part(statistics.numbers),
    part(statistics.thinned),
  ];
  const there = numbersOf(statistics, start, rows);
  const whole = wholeFigures(statistics, there);
  const hasOwnCounts = counts.some((count, row) => count !== samples[row]);
  const hasOwnNumbers = numbers.some((count, row) => count !== counts[row]);
  const isDownsampled = thinned.some((count) => count !== 0);
  writer.u8(
    (hasOwnCounts ? COUNTS : 0) |
      (hasOwnNumbers ? NUMBERS : 0) |
      (isDownsampled ? THINNED : 0) |
      (whole === null ? PLAIN : 0) |
      (whole?.squares === null ? PLAIN_SQUARES : 0),
  );
  if (hasOwnCounts) putFigures(writer, counts);
  if (hasOwnNumbers) putFigures(writer, numbers);
  if (isDownsampled) {
    putFigures(writer, thinned);
    putFigures(writer, part(statistics.reach));
  }
  if (there.places.length === 0) return;
  if (whole === null) {
    putFigures(writer, there.of(statistics.min));
    putFigures(writer, there.of(statistics.max));
    putFigures(
      writer,
      Float64Array.from(there.places, (at) => usualSum(statistics, at)),
    );
    putFigures(writer, there.of(statistics.squares));
    putFigures(writer, there.of(statistics.hugeSum));
    return;
  }
  writer.u8(whole.scale);
  putFigures(writer, whole.min);
  putFigures(writer, whole.range);
  putFigures(writer, whole.sum);
  putFigures(writer, whole.squares ?? there.of(statistics.squares));
}

const usualSum = ({ sum, sumLow }: Statistics, at: number): number =>
  (sum[at] as number) + (sumLow[at] as number);

type WholeFigures = {
  readonly scale: number;
  readonly min: Float64Array;
  readonly range: Float64Array;
  readonly sum: Float64Array;
  /** Null: they are no whole numbers. */
  readonly squares: Float64Array | null;
};

/** Null where they are not decimals of few digits. */
function wholeFigures(statistics: RollupStatistics, { places }: Numbers): WholeFigures | null {
  const scale = commonScale(statistics, places);
  if (scale < 0) return null;
  const power = Number(`1e${scale}`);
  const [min, range] = [new Float64Array(places.length), new Float64Array(places.length)];
  const sum = new Float64Array(places.length);
  let squares: Float64Array | null = new Float64Array(places.length);
  for (const [row, at] of places.entries()) {
    const [least, most] = [
      scaled(statistics.min[at] as number, scale),
      scaled(statistics.max[at] as number, scale),
    ];
    const count = statistics.numbers[at] as number;
    const total = usualSum(statistics, at);
    const wholeSum = Math.round(total * power);
    const size = Math.max(Math.abs(least), Math.abs(most));
    const noise = Math.abs(wholeSum) * SUM_NOISE + size * Math.sqrt(count) * VALUE_NOISE;
    // Doubled and compared with the middle it must still be exact.
    if (!(size * count < 2 ** 50) || Math.abs(wholeSum - total * power) > noise) return null;
    min[row] = least;
    range[row] = most - least;
    sum[row] = 2 * wholeSum - count * (least + most);
    const exact = (statistics.squares[at] as number) * count * power * power;
    const near = Math.round(exact);
    const doubt = exact * SQUARES_NOISE + Math.sqrt(exact) * size * count * VALUE_NOISE;
    if (!(near < 2 ** 50) || Math.abs(near - exact) > doubt) squares = null;
    else if (squares !== null) squares[row] = near;
  }
  return { scale, min, range, sum, squares };
}

/** Least power of ten that makes all extremes whole; −1 where there is none. */
function commonScale({ min, max, hugeSum }: RollupStatistics, places: readonly number[]): number {
  let scale = 0;
  const holds = (value: number) => scaled(value, scale) / Number(`1e${scale}`) === value;
  for (const at of places) {
    if (hugeSum[at] !== 0) return -1;
    // The sign of a zero says nothing here.
    for (const value of [(min[at] as number) + 0, (max[at] as number) + 0]) {
      if (holds(value)) continue;
      const own = scaleOf(value, MAX_SCALE);
      if (own < 0) return -1;
      scale = Math.max(scale, own);
    }
  }
  for (const at of places) if (!holds(min[at] as number) || !holds(max[at] as number)) return -1;
  return scale;
}

/** Throws FrameError for bytes that are no part. */
export function decodePart(bytes: Uint8Array): RollupPart {
  const reader = new ByteReader(bytes);
  if (reader.u8('version') !== VERSION) throw malformed('rollup: written by a newer version');
  const rows = reader.varint('number of buckets');
  if (rows > MAX_BUCKETS_A_BLOCK) throw malformed(`rollup: ${rows} buckets in one block`);
  const offsets = new Float64Array(rows);
  let last = -1;
  for (let row = 0; row < rows; row += 1) {
    last += 1 + reader.varint('offset');
    offsets[row] = last;
  }
  const samples = readFigures(reader, rows);
  const columns = reader.varint('number of columns');
  const starts = startsOf(reader, columns);
  const columnsAt = reader.skip(starts[columns] ?? 0, 'columns');
  const kept = reader.u8('how sketches are kept');
  let sketches: { readonly starts: readonly number[]; readonly bytes: Uint8Array } | null = null;
  const sketchesOf = () => {
    if (sketches === null) {
      const from = new ByteReader(bytes, reader.offset);
      const at = startsOf(from, columns);
      const rest = bytes.subarray(from.offset);
      sketches = { starts: at, bytes: kept === 2 ? zstdDecompressSync(rest) : rest };
    }
    return sketches;
  };
  return {
    offsets,
    samples,
    columns,
    read: (column, into) => {
      const end = columnsAt + (starts[column + 1] ?? 0);
      readStatistics(new ByteReader(bytes, columnsAt + (starts[column] ?? 0), end), samples, into);
    },
    readSketches: (column, into) => {
      if (kept === 0) return;
      const { starts: at, bytes: all } = sketchesOf();
      const from = new ByteReader(all, at[column] ?? 0, at[column + 1] ?? 0);
      for (const sketch of into) readSketch(from, sketch);
    },
  };
}

/** Where each begins, and the last one ends. */
function startsOf(reader: ByteReader, count: number): readonly number[] {
  const starts = [0];
  for (let index = 0; index < count; index += 1)
    starts.push((starts[index] ?? 0) + reader.varint('length of a column'));
  return starts;
}

function readStatistics(reader: ByteReader, samples: Float64Array, into: RollupStatistics): void {
  const rows = samples.length;
  const flags = reader.u8('flags');
  const counts = (flags & COUNTS) === 0 ? samples : readFigures(reader, rows);
  const numbers = (flags & NUMBERS) === 0 ? counts : readFigures(reader, rows);
  into.counts.set(counts);
  into.numbers.set(numbers);
  if ((flags & THINNED) !== 0) {
    into.thinned.set(readFigures(reader, rows));
    into.reach.set(readFigures(reader, rows));
  }
  const places: number[] = [];
  for (let row = 0; row < rows; row += 1) if (numbers[row] !== 0) places.push(row);
  if (places.length === 0) return;
  const read = () => readFigures(reader, places.length);
  if ((flags & PLAIN) !== 0) {
    for (const figure of [into.min, into.max, into.sum, into.squares, into.hugeSum]) {
      for (const [index, value] of read().entries()) figure[places[index] as number] = value;
    }
    return;
  }
  const power = Number(`1e${reader.u8('scale')}`);
  const [min, range, sum, squares] = [read(), read(), read(), read()];
  for (const [index, at] of places.entries()) {
    const [least, span] = [min[index] as number, range[index] as number];
    const count = numbers[at] as number;
    into.min[at] = least / power;
    into.max[at] = (least + span) / power;
    into.sum[at] = ((sum[index] as number) + count * (2 * least + span)) / 2 / power;
    into.squares[at] =
      (flags & PLAIN_SQUARES) === 0
        ? (squares[index] as number) / count / power / power
        : (squares[index] as number);
  }
}
