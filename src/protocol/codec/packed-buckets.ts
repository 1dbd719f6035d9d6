/**
 * Columns of a thinned frame, kept as bytes until first read, so that a short frame cannot make its decoder allocate
 * much.
 */
import { type BucketColumn, MAX_FRAME_SAMPLES } from '../frame.ts';
import { malformed } from './bytes.ts';
import { checkColumn as checkValues, readColumn } from './column.ts';
import { ENCODING } from './integers.ts';

/** Where the five slots of a series are: counts, numbers, min, max, sum. */
export type Slots = {
  readonly modes: Uint8Array;
  readonly lengths: Uint32Array;
  /** Of the group's buckets. */
  readonly sizes: Float64Array;
};

/** Slots of one series. */
export const SERIES_SLOTS = 5;
const ABSENT = ENCODING.absent << 4;
const noPresence = new Uint8Array(0);
const scratch: BucketColumn = {
  counts: new Float64Array(MAX_FRAME_SAMPLES),
  numbers: new Float64Array(MAX_FRAME_SAMPLES),
  min: new Float64Array(MAX_FRAME_SAMPLES),
  max: new Float64Array(MAX_FRAME_SAMPLES),
  sum: new Float64Array(MAX_FRAME_SAMPLES),
};

/** One series; checked when it is made, decoded when first read. */
export class Packed implements BucketColumn {
  readonly #bytes: Uint8Array;
  readonly #slots: Slots;
  #column: BucketColumn | null = null;

  /** Throws FrameError. */
  constructor(bytes: Uint8Array, slots: Slots) {
    this.#bytes = bytes;
    this.#slots = slots;
    checkBuckets(bytes, slots);
  }

  get counts(): Float64Array {
    return this.#read().counts;
  }
  get numbers(): Float64Array {
    return this.#read().numbers;
  }
  get min(): Float64Array {
    return this.#read().min;
  }
  get max(): Float64Array {
    return this.#read().max;
  }
  get sum(): Float64Array {
    return this.#read().sum;
  }

  #read(): BucketColumn {
    if (this.#column !== null) return this.#column;
    const rows = this.#slots.sizes.length;
    const block = new Float64Array(rows * 5);
    const part = (index: number) => block.subarray(rows * index, rows * (index + 1));
    const column = { counts: part(0), numbers: part(1), min: part(2), max: part(3), sum: part(4) };
    readInto(this.#bytes, this.#slots, column);
    this.#column = column;
    return column;
  }
}

/** Throws FrameError where the bytes are no series of buckets, or say what cannot be. */
export function checkBuckets(bytes: Uint8Array, slots: Slots): void {
  readInto(bytes, slots, scratch);
  checkColumn(scratch, slots.sizes);
}

/** The same, and where integers are beyond what every reader can hold exactly. */
export function checkExactBuckets(bytes: Uint8Array, slots: Slots): void {
  checkBuckets(bytes, slots);
  const rows = slots.sizes.length;
  const filled = scratch.numbers.subarray(0, rows).reduce((sum, one) => sum + (one > 0 ? 1 : 0), 0);
  let at = 0;
  for (let slot = 0; slot < SERIES_SLOTS; slot += 1) {
    const [start, mode] = [at, slots.modes[slot] as number];
    at += slots.lengths[slot] as number;
    if (mode !== ABSENT) checkValues(bytes, start, at, mode, slot < 2 ? rows : filled);
  }
}

function readInto(bytes: Uint8Array, { modes, lengths, sizes }: Slots, column: BucketColumn): void {
  const rows = sizes.length;
  let at = 0;
  const read = (slot: number, into: Float64Array, count: number) => {
    const end = at + (lengths[slot] as number);
    readColumn(bytes, at, end, modes[slot] as number, count, into, noPresence);
    at = end;
  };
  const readOr = (slot: number, into: Float64Array, otherwise: Float64Array) => {
    if (modes[slot] === ABSENT) into.set(otherwise.subarray(0, rows));
    else read(slot, into, rows);
  };
  readOr(0, column.counts, sizes);
  readOr(1, column.numbers, column.counts);
  let filled = 0;
  for (let row = 0; row < rows; row += 1) if ((column.numbers[row] as number) > 0) filled += 1;
  for (const [slot, values] of [
    [2, column.min],
    [3, column.max],
    [4, column.sum],
  ] as const) {
    if ((modes[slot] === ABSENT) !== (filled === 0)) throw malformed(`bucket: ${filled} with numbers`);
    if (filled > 0) read(slot, values, filled);
    spread(values, column.numbers, rows, filled);
  }
}

/** Moves the first `filled` values to the buckets that have numbers, from the back so that none is overwritten. */
function spread(values: Float64Array, numbers: Float64Array, rows: number, filled: number): void {
  if (filled === rows) return;
  let from = filled;
  for (let row = rows - 1; row >= 0; row -= 1) {
    values[row] = (numbers[row] as number) > 0 ? (values[--from] as number) : Number.NaN;
  }
}

/** Throws FrameError where the figures contradict one another. */
export function checkColumn({ counts, numbers, min, max }: BucketColumn, sizes: Float64Array): void {
  for (let row = 0; row < sizes.length; row += 1) {
    const [count, there, size] = [counts[row] as number, numbers[row] as number, sizes[row] as number];
    if (!(Number.isInteger(count) && count >= 0 && count <= size)) {
      throw malformed(`bucket: ${count} values of ${size} samples`);
    }
    if (!(Number.isInteger(there) && there >= 0 && there <= count)) {
      throw malformed(`bucket: ${there} numbers of ${count} values`);
    }
    if (there > 0 && !((min[row] as number) <= (max[row] as number))) {
      throw malformed(`bucket: from ${min[row]} to ${max[row]}`);
    }
  }
}
