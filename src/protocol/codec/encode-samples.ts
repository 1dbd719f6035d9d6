/** From samples, one by one or in blocks, to a data frame. */
import { type Column, FrameError, MAX_FRAME_SAMPLES, type RowNotes, type SampleGroup } from '../frame.ts';
import type { Epoch, InternedSchema, Sample } from '../sample.ts';
import { rowCount, type SampleBlock, type SampleRows, totalRows } from '../sample-block.ts';
import { malformed } from './bytes.ts';
import { encodeGroups } from './encode.ts';

/** The rows of one schema: what they are in, and where each element's rows begin within the frame. */
type Gathered = { readonly elements: SampleRows[]; readonly offsets: number[]; rows: number };

/**
 * Encodes samples, which get the seqs from `firstSeq` on in their order; several schemas may be mixed. Throws
 * FrameError: `too_large` beyond MAX_FRAME_SAMPLES, else `malformed`.
 */
export function encodeSamples(frame: {
  readonly epoch: Epoch;
  readonly firstSeq: number;
  readonly samples: readonly SampleRows[];
}): Uint8Array {
  const { epoch, firstSeq, samples } = frame;
  const count = totalRows(samples);
  if (count > MAX_FRAME_SAMPLES) {
    throw new FrameError('too_large', `count: ${count} samples, a frame holds ${MAX_FRAME_SAMPLES}`);
  }
  const bySchema = new Map<string, Gathered>();
  let offset = 0;
  for (const element of samples) {
    const { ref } = element.schema;
    let gathered = bySchema.get(ref);
    if (gathered === undefined) {
      gathered = { elements: [], offsets: [], rows: 0 };
      bySchema.set(ref, gathered);
    }
    const rows = rowCount(element);
    gathered.elements.push(element);
    gathered.offsets.push(offset);
    gathered.rows += rows;
    offset += rows;
  }
  let values = 0;
  for (const gathered of bySchema.values()) values += gathered.rows * arraysOf(gathered);
  const memory = scratchOf(values);
  const groups: SampleGroup[] = [];
  let used = 0;
  for (const gathered of bySchema.values()) {
    const end = used + gathered.rows * arraysOf(gathered);
    groups.push(toGroup(gathered, firstSeq, memory.subarray(used, end)));
    used = end;
  }
  return encodeGroups({ epoch, firstSeq, count, groups });
}

/** Columns under construction, side by side in one block of memory: seqs, ts, mono, then the values. */
type Target = {
  readonly rows: number;
  readonly block: Float64Array;
  /** Only for columns in which a value is missing. */
  readonly presence: (Uint8Array | undefined)[];
  readonly notes: RowNotes[];
};

/** Values of a scratch buffer that is kept: the largest frame of 60 series. */
const MAX_KEPT_VALUES = 4096 * 64;
let scratch = new Float64Array(0);

/** Memory for so many values, with anything in it. The encoder is done with it before it is asked for again. */
function scratchOf(values: number): Float64Array {
  if (values > MAX_KEPT_VALUES) return new Float64Array(values);
  if (values > scratch.length) scratch = new Float64Array(values);
  return scratch;
}

/** Arrays of a group: seqs, ts, mono, and its columns. */
function arraysOf({ elements }: Gathered): number {
  return (elements[0] as SampleRows).schema.series.length + 3;
}

function toGroup({ elements, offsets, rows }: Gathered, firstSeq: number, block: Float64Array): SampleGroup {
  const { schema } = elements[0] as SampleRows;
  const width = schema.series.length;
  const target: Target = { rows, block, presence: [], notes: [] };
  let row = 0;
  for (let index = 0; index < elements.length; index += 1) {
    const element = elements[index] as SampleRows;
    const seq = firstSeq + (offsets[index] as number);
    if ('columns' in element) {
      putBlock(target, element, schema, row, seq);
      row += element.ts.length;
    } else {
      putSample(target, element, schema, row, seq);
      row += 1;
    }
  }
  const columns: Column[] = [];
  for (let column = 0, at = rows * 3; column < width; column += 1, at += rows) {
    columns.push({ values: block.subarray(at, at + rows), present: target.presence[column] ?? null });
  }
  return {
    schemaRef: schema.ref,
    seqs: block.subarray(0, rows),
    ts: block.subarray(rows, rows * 2),
    mono: block.subarray(rows * 2, rows * 3),
    columns,
    notes: target.notes,
  };
}

function putSample(target: Target, sample: Sample, schema: InternedSchema, row: number, seq: number): void {
  const { rows, block, notes } = target;
  const { values, anomalies, diagnostics } = sample;
  const width = schema.series.length;
  checkWidth(values.length, schema);
  block[row] = seq;
  block[rows + row] = sample.ts;
  block[rows * 2 + row] = sample.mono;
  for (let column = 0, at = rows * 3 + row; column < width; column += 1, at += rows) {
    const value = values[column] as number | null;
    if (value === null) {
      block[at] = Number.NaN;
      presenceOf(target, column)[row] = 0;
    } else block[at] = value;
  }
  if (anomalies.length > 0 || diagnostics.length > 0) notes.push({ row, anomalies, diagnostics });
}

function putBlock(
  target: Target,
  source: SampleBlock,
  schema: InternedSchema,
  row: number,
  seq: number,
): void {
  const { rows, block, notes } = target;
  const { ts, mono, columns } = source;
  checkWidth(columns.length, schema);
  if (mono.length !== ts.length) throw malformed(`block: ${mono.length} mono, ${ts.length} ts`);
  for (let index = 0; index < ts.length; index += 1) block[row + index] = seq + index;
  block.set(ts, rows + row);
  block.set(mono, rows * 2 + row);
  for (let column = 0; column < columns.length; column += 1) {
    const { values, present } = columns[column] as Column;
    if (values.length !== ts.length) {
      throw malformed(`block: ${values.length} values in a column of ${ts.length} rows`);
    }
    block.set(values, rows * (column + 3) + row);
    if (present !== null) presenceOf(target, column).set(present, row);
  }
  for (const note of source.notes) notes.push({ ...note, row: row + note.row });
}

function presenceOf({ presence, rows }: Target, column: number): Uint8Array {
  const known = presence[column];
  if (known !== undefined) return known;
  const present = new Uint8Array(rows).fill(1);
  presence[column] = present;
  return present;
}

function checkWidth(width: number, schema: InternedSchema): void {
  if (width === schema.series.length) return;
  throw malformed(`sample: ${width} values for the ${schema.series.length} series of ${schema.ref}`);
}
