/**
 * Columns that make their arrays when first asked. A column whose bytes are far fewer than its rows (constant, mostly
 * absent) is kept as bytes, already validated, so that a short frame cannot make its decoder allocate much.
 */
import type { Column } from '../frame.ts';
import { isSparse, readColumn } from './column.ts';

type Arrays = { readonly values: Float64Array; readonly present: Uint8Array | null };

const NO_PRESENCE = new Uint8Array(0);

/** Reads a column into `values`, one a row. */
export function materialise(
  bytes: Uint8Array,
  start: number,
  end: number,
  mode: number,
  values: Float64Array,
): Arrays {
  const rows = values.length;
  const present = isSparse(mode) ? new Uint8Array(rows) : null;
  readColumn(bytes, start, end, mode, rows, values, present ?? NO_PRESENCE);
  return { values, present };
}

/** A column kept as its bytes, which were validated before. */
export class PackedColumn implements Column {
  readonly #bytes: Uint8Array;
  readonly #mode: number;
  readonly #rows: number;
  #arrays: Arrays | null = null;

  constructor(bytes: Uint8Array, mode: number, rows: number) {
    this.#bytes = bytes;
    this.#mode = mode;
    this.#rows = rows;
  }

  get values(): Float64Array {
    return this.#made().values;
  }

  get present(): Uint8Array | null {
    return isSparse(this.#mode) ? this.#made().present : null;
  }

  #made(): Arrays {
    const bytes = this.#bytes;
    this.#arrays ??= materialise(bytes, 0, bytes.length, this.#mode, new Float64Array(this.#rows));
    return this.#arrays;
  }
}

const ABSENT = Uint8Array.of(0);

/** One value of a row that is kept whole. */
export class RowColumn implements Column {
  readonly #row: Float64Array;
  readonly #index: number;
  readonly #absent: boolean;

  constructor(row: Float64Array, index: number, absent: boolean) {
    this.#row = row;
    this.#index = index;
    this.#absent = absent;
  }

  get values(): Float64Array {
    return this.#row.subarray(this.#index, this.#index + 1);
  }

  get present(): Uint8Array | null {
    return this.#absent ? ABSENT : null;
  }
}
