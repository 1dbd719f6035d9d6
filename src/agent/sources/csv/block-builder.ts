import type { Column } from '../../../protocol/frame.ts';
import { MAX_BLOCK_ROWS } from '../source.ts';

/** Values of a block at most, so that a wide file takes no more memory than a narrow one. */
const MAX_BLOCK_VALUES = 64 * 1024;

/** Rows under construction. Whoever fills it writes into its arrays and then raises `count`. */
export type BlockBuilder = {
  readonly width: number;
  readonly capacity: number;
  /** Rows that are whole. */
  count: number;
  /** `ts[row]`. */
  readonly ts: Float64Array;
  readonly mono: Float64Array;
  /** `values[column * capacity + row]`. */
  readonly values: Float64Array;
  /**
   * Says that this cell of the row under construction has no value; a later `values` of the cell does not take that
   * back.
   */
  readonly leaveOut: (column: number, row: number) => void;
  readonly add: (ts: number, row: readonly (number | null)[]) => void;
  /** The row under construction is given up. */
  readonly undo: () => void;
  readonly columns: () => Column[];
  /** Begins again without rows, in the same memory. */
  readonly reset: () => void;
};

export function createBlockBuilder(width: number): BlockBuilder {
  const capacity = Math.min(MAX_BLOCK_ROWS, Math.max(1, Math.floor(MAX_BLOCK_VALUES / width)));
  const ts = new Float64Array(capacity);
  const values = new Float64Array(capacity * width);
  const presence: (Uint8Array | undefined)[] = [];
  const leaveOut = (column: number, row: number) => {
    const present = presence[column] ?? new Uint8Array(capacity).fill(1);
    presence[column] = present;
    present[row] = 0;
    values[column * capacity + row] = Number.NaN;
  };
  const builder: BlockBuilder = {
    width,
    capacity,
    count: 0,
    ts,
    mono: new Float64Array(capacity),
    values,
    leaveOut,
    add: (at, cells) => {
      const row = builder.count;
      ts[row] = at;
      for (let column = 0; column < width; column += 1) {
        const value = cells[column] as number | null;
        if (value === null) leaveOut(column, row);
        else values[column * capacity + row] = value;
      }
      builder.count += 1;
    },
    undo: () => {
      for (const present of presence) present?.fill(1, builder.count, builder.count + 1);
    },
    columns: () =>
      Array.from({ length: width }, (_, column) => ({
        values: values.subarray(column * capacity, column * capacity + builder.count),
        present: presence[column]?.subarray(0, builder.count) ?? null,
      })),
    reset: () => {
      builder.count = 0;
      presence.length = 0;
    },
  };
  return builder;
}
