/**
 * Groups: the samples of one schema within a frame, either one row (values side by side) or several (columns).
 *
 *     schema ref     6 bytes
 *     head           varint: columns × 4 + 2 (takes all seqs that are left) + 1 (one row)
 *     one row: [varint seq − firstSeq, unless it takes the rest] [signed ts − base, unless the frame has one sample]
 *                    varint mono, number codes (4 bits each, low half first), the numbers
 *     several rows:  [varint rows, unless it takes the rest] mode bytes, varint lengths, then the columns:
 *                    [seq − firstSeq, unless it takes the rest], ts − base, mono − (ts − tsMin), values …
 *     notes          only when the frame's flag says so
 *
 * `base` is tsMin; 0 when tsMax − tsMin exceeds 2^53 − 1, where differences would not be exact (and
 * mono is then written as it is).
 */
import { type Column, MAX_FRAME_SAMPLES, type SampleGroup } from '../frame.ts';
import { MAX_SERIES_PER_SCHEMA } from '../sample.ts';
import { type ByteReader, ByteWriter, isHex48, malformed } from './bytes.ts';
import { putColumn } from './column.ts';
import { ENCODING, putIntegers } from './integers.ts';
import { putNotes } from './notes.ts';
import { CODE_NONE, codeOf, putCoded } from './number.ts';
import { putRaw } from './raw.ts';

const HEAD_ONE_ROW = 1;
const HEAD_REST = 2;

/** What the groups of a frame need to know of its header. */
export type FrameContext = {
  readonly firstSeq: number;
  readonly count: number;
  readonly tsMin: number;
  readonly tsMax: number;
  readonly notes: boolean;
};

/** What ts is written relative to. */
export function tsBase(context: FrameContext): number {
  return Number.isSafeInteger(context.tsMax - context.tsMin) ? context.tsMin : 0;
}

const integers = new Float64Array(MAX_FRAME_SAMPLES);
const columnBytes = new ByteWriter();
let modes = new Uint8Array(64);
let lengths = new Uint32Array(64);

/**
 * Appends one group; `rest` when all seqs not yet taken are its own. Returns how many of its bytes are no codes, but
 * raw doubles and notes, which zstd may still shrink.
 */
export function putGroup(
  writer: ByteWriter,
  group: SampleGroup,
  context: FrameContext,
  rest: boolean,
): number {
  const { schemaRef, columns, seqs } = group;
  if (!isHex48(schemaRef)) throw malformed(`schema ref: ${schemaRef}`);
  if (columns.length > MAX_SERIES_PER_SCHEMA) {
    throw malformed(`group: ${columns.length} columns, at most ${MAX_SERIES_PER_SCHEMA}`);
  }
  const oneRow = seqs.length === 1;
  writer.hex48(schemaRef);
  writer.varint(columns.length * 4 + (rest ? HEAD_REST : 0) + (oneRow ? HEAD_ONE_ROW : 0));
  let plain = 0;
  if (oneRow) putRow(writer, group, context, rest);
  else plain += putRows(writer, group, context, rest);
  const before = writer.length;
  if (context.notes) putNotes(writer, group.notes, seqs.length, columns.length);
  return plain + writer.length - before;
}

function putRow(writer: ByteWriter, group: SampleGroup, context: FrameContext, rest: boolean): void {
  const { columns } = group;
  if (!rest) writer.varint((group.seqs[0] as number) - context.firstSeq);
  if (context.count > 1) writer.signed((group.ts[0] as number) - tsBase(context));
  writer.varint(group.mono[0] as number);
  const codes = columns.length;
  if (codes > modes.length) modes = new Uint8Array(codes);
  for (let index = 0; index < codes; index += 2) {
    const low = codeOfColumn(columns[index]);
    const high = index + 1 < codes ? codeOfColumn(columns[index + 1]) : 0;
    modes[index] = low;
    modes[index + 1] = high;
    writer.u8(low | (high << 4));
  }
  for (let index = 0; index < codes; index += 1) {
    putCoded(writer, modes[index] as number, columns[index]?.values[0] ?? Number.NaN);
  }
}

function codeOfColumn(column: Column | null | undefined): number {
  if (column === null || column === undefined) throw malformed('group: a column was not decoded');
  return column.present !== null && column.present[0] === 0 ? CODE_NONE : codeOf(column.values[0] as number);
}

function putRows(writer: ByteWriter, group: SampleGroup, context: FrameContext, rest: boolean): number {
  const { columns, seqs, ts, mono } = group;
  const rows = seqs.length;
  const base = tsBase(context);
  if (!rest) writer.varint(rows);
  const data = columnBytes.reset();
  if (columns.length + 3 > modes.length) {
    modes = new Uint8Array(columns.length + 3);
    lengths = new Uint32Array(columns.length + 3);
  }
  let slot = 0;
  const close = (mode: number, before: number) => {
    modes[slot] = mode;
    lengths[slot] = data.length - before;
    slot += 1;
  };
  if (!rest) {
    for (let row = 0; row < rows; row += 1) integers[row] = (seqs[row] as number) - context.firstSeq;
    close(putWhole(data, rows), 0);
  }
  for (let row = 0; row < rows; row += 1) integers[row] = (ts[row] as number) - base;
  let before = data.length;
  close(putWhole(data, rows), before);
  before = data.length;
  const related = monoFollowsTs(context);
  for (let row = 0; row < rows; row += 1) {
    integers[row] = (mono[row] as number) - (related ? (ts[row] as number) - base : 0);
  }
  close(putWhole(data, rows), before);
  for (const column of columns) {
    if (column === null) throw malformed('group: a column was not decoded');
    before = data.length;
    close(putColumn(data, column.values, column.present, rows), before);
  }
  writer.raw(modes.subarray(0, slot));
  let raw = 0;
  for (let index = 0; index < slot; index += 1) {
    const length = lengths[index] as number;
    writer.varint(length);
    if ((((modes[index] as number) >>> 4) & 7) === ENCODING.raw) raw += length;
  }
  writer.raw(data.view());
  return raw;
}

/** Appends `integers` and returns their mode. */
function putWhole(data: ByteWriter, rows: number): number {
  const encoding = putIntegers(data, integers, rows);
  if (encoding >= 0) return encoding << 4;
  putRaw(data, integers, rows);
  return ENCODING.raw << 4;
}

/** Wall and monotonic time run alike, so mono is written as what it differs from ts − tsMin, where that is exact. */
export function monoFollowsTs(context: FrameContext): boolean {
  return Number.isSafeInteger(context.tsMax - context.tsMin);
}

/** Ref, columns and flags of the next group. */
export function readHead(reader: ByteReader): {
  schemaRef: string;
  columnCount: number;
  rest: boolean;
  oneRow: boolean;
} {
  const schemaRef = reader.hex48('schema ref');
  const head = reader.varint('group');
  const columnCount = Math.floor(head / 4);
  if (columnCount > MAX_SERIES_PER_SCHEMA) throw malformed(`group: ${columnCount} columns`);
  return { schemaRef, columnCount, rest: (head & HEAD_REST) !== 0, oneRow: (head & HEAD_ONE_ROW) !== 0 };
}
