/**
 * Samples in columns: how a source that gives many at once hands them on, without an object for each sample or value.
 */
import type { Column, RowNotes } from './frame.ts';
import type { InternedSchema, Sample } from './sample.ts';

/** What a source that can go on somewhere says with its samples, to be kept with them; no part of any frame. */
export type Positioned = {
  /** Where the source stands after the first `rows` of them, in its own words. */
  readonly position?: ((rows: number) => string) | undefined;
};

/**
 * Consecutive samples of one schema, at least one; the arrays have one entry a row and stay as they are until `recycle`
 * is called.
 */
export type SampleBlock = Positioned & {
  readonly schema: InternedSchema;
  /** As in {@link Sample}. */
  readonly ts: Float64Array;
  readonly mono: Float64Array;
  /** In schema order. */
  readonly columns: readonly Column[];
  /** In ascending order of rows. */
  readonly notes: readonly RowNotes[];
  /** Says that nobody reads the arrays any more, so that the source may use their memory again. */
  readonly recycle?: () => void;
};

/** What flows from a source to the journal: one sample, or many in columns. */
export type SampleRows = (Sample & Positioned) | SampleBlock;

/** Samples in one element. */
export function rowCount(rows: { readonly ts: number | Float64Array }): number {
  return typeof rows.ts === 'number' ? 1 : rows.ts.length;
}

/** Samples in all elements. */
export function totalRows(all: readonly SampleRows[]): number {
  let total = 0;
  for (const rows of all) total += rowCount(rows);
  return total;
}

/** The samples `start … end − 1` of a list, counted over all of its elements; blocks are cut without copying values. */
export function sliceRows(all: readonly SampleRows[], start: number, end: number): SampleRows[] {
  const taken: SampleRows[] = [];
  let first = 0;
  for (const rows of all) {
    if (first >= end) break;
    const count = rowCount(rows);
    const from = Math.max(0, start - first);
    const to = Math.min(count, end - first);
    if (from < to) taken.push('columns' in rows ? sliceBlock(rows, from, to) : rows);
    first += count;
  }
  return taken;
}

/**
 * The rows `from … to − 1`, which share the memory of `block`. Parts are done with in order, so only the last one may
 * recycle it.
 */
export function sliceBlock(block: SampleBlock, from: number, to: number): SampleBlock {
  const { schema, ts, mono, columns, notes, recycle, position } = block;
  if (from === 0 && to === ts.length) return block;
  return {
    schema,
    ts: ts.subarray(from, to),
    mono: mono.subarray(from, to),
    columns: columns.map(({ values, present }) => ({
      values: values.subarray(from, to),
      present: present?.subarray(from, to) ?? null,
    })),
    notes: notes
      .filter(({ row }) => row >= from && row < to)
      .map((note) => ({ ...note, row: note.row - from })),
    ...(recycle !== undefined && to === ts.length ? { recycle } : {}),
    ...(position === undefined ? {} : { position: (rows: number) => position(from + rows) }),
  };
}
