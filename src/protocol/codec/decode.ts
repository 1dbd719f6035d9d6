/** From a data frame to columns. */
import {
  type Column,
  type DataFrame,
  FrameError,
  type FrameHeader,
  MAX_FRAME_SAMPLES,
  type SampleGroup,
} from '../frame.ts';
import { MAX_SERIES_PER_SCHEMA, type SchemaRef } from '../sample.ts';
import { ByteReader, malformed, placed } from './bytes.ts';
import { checkColumn, readColumn } from './column.ts';
import { decompressBody } from './compress.ts';
import { type FrameContext, monoFollowsTs, readHead, tsBase } from './group.ts';
import { type ParsedHeader, parseVerified } from './header.ts';
import { ENCODING, readIntegers } from './integers.ts';
import { materialise, PackedColumn, RowColumn } from './lazy-column.ts';
import { type NotesBudget, readNotes } from './notes.ts';
import { CODE_NONE, readCoded } from './number.ts';
import { readRaw } from './raw.ts';

/**
 * Which columns to decode; indices beyond the group's columns are ignored. `checked`: none, but all are looked at, and
 * throw as if they were decoded. `seqs`: of the group.
 */
export type ColumnChoice = (
  ref: SchemaRef,
  columnCount: number,
  seqs: Float64Array,
) => readonly number[] | 'all' | 'none' | 'checked';
export type DecodeOptions = {
  readonly columns?: ColumnChoice;
  /** Anomalies and diagnostics that the frame may have; beyond it a FrameError `too_many_notes`. Default: no bound. */
  readonly maxNotes?: number;
};

/** A column is kept packed when it has more rows than this for each of its bytes: the shortest code takes one bit. */
const PACKED_ROWS_PER_BYTE = 8;

const scratchValues = new Float64Array(MAX_FRAME_SAMPLES);
/** Values that nobody asked for. */
const scratchRow = new Float64Array(MAX_SERIES_PER_SCHEMA);
const scratchPresent = new Uint8Array(MAX_FRAME_SAMPLES);
const taken = new Uint8Array(MAX_FRAME_SAMPLES);
let directory = new Uint32Array(64);

/**
 * Decodes a data frame after verifying its checksum; columns that are not asked for are stepped over and null. The
 * arrays are the caller's; those of columns that compress well are made when first read. Throws FrameError.
 */
export function decodeData(bytes: Uint8Array, options: DecodeOptions = {}): DataFrame {
  const parsed = parseVerified(bytes);
  const { header } = parsed;
  const context = contextOf(parsed);
  const reader = bodyOf(bytes, header);
  taken.fill(0, 0, header.count);
  const groups: SampleGroup[] = [];
  const budget: NotesBudget = { left: options.maxNotes ?? Number.POSITIVE_INFINITY };
  let left = header.count;
  try {
    while (left > 0) {
      const group = readGroup(reader, context, left, options.columns, budget);
      left -= group.seqs.length;
      groups.push(group);
    }
  } catch (error) {
    throw placed(`group ${groups.length + 1}`, error);
  }
  if (reader.remaining > 0) throw malformed(`body: ${reader.remaining} bytes too many`);
  checkTimes(groups, header);
  return { header, groups };
}

function contextOf({ header, notes }: ParsedHeader): FrameContext {
  const { firstSeq, count, tsMin, tsMax } = header;
  return { firstSeq, count, tsMin, tsMax, notes };
}

function bodyOf(bytes: Uint8Array, header: FrameHeader): ByteReader {
  if (header.kind !== 'data')
    throw new FrameError('unsupported_kind', `kind: ${header.kind} holds no samples`);
  return payloadOf(bytes, header);
}

/** The body of a frame, decompressed where it must be. */
export function payloadOf(bytes: Uint8Array, header: FrameHeader): ByteReader {
  if (header.compression === 'none') return new ByteReader(bytes, header.headerLength);
  return new ByteReader(decompressBody(bytes.subarray(header.headerLength)));
}

function readGroup(
  reader: ByteReader,
  context: FrameContext,
  left: number,
  choose: ColumnChoice | undefined,
  budget: NotesBudget,
): SampleGroup {
  const { schemaRef, columnCount, rest, oneRow } = readHead(reader);
  let rows = left;
  if (oneRow) rows = 1;
  else if (!rest) rows = reader.varint('rows');
  // One row has but one form, and the group that takes the rest comes last: so every frame has one shape.
  if (rest ? rows !== left : rows >= left || rows < 1) throw malformed(`group: ${rows} rows of ${left}`);
  if (!oneRow && rows === 1) throw malformed('group: one row written as columns');
  const group = oneRow
    ? readRow(reader, context, rest, schemaRef, columnCount, choose)
    : readRows(reader, context, rows, rest, schemaRef, columnCount, choose);
  return context.notes ? { ...group, notes: readNotes(reader, rows, columnCount, budget) } : group;
}

/** No column is to be decoded. */
const NOTHING = new Uint8Array(0);

/** 1 for each column that is to be decoded. */
export type Wanted = Uint8Array | 'all' | 'checked';

export function choice(
  choose: ColumnChoice | undefined,
  ref: SchemaRef,
  columnCount: number,
  seqs: Float64Array,
): Wanted {
  const chosen = choose === undefined ? 'all' : choose(ref, columnCount, seqs);
  if (chosen === 'all' || chosen === 'checked') return chosen;
  if (chosen === 'none') return NOTHING;
  const wanted = new Uint8Array(columnCount);
  for (const index of chosen) wanted[index] = 1;
  return wanted;
}

export function isWanted(wanted: Wanted, index: number): boolean {
  return wanted === 'all' || (wanted !== 'checked' && wanted[index] === 1);
}

function readRow(
  reader: ByteReader,
  context: FrameContext,
  rest: boolean,
  schemaRef: SchemaRef,
  columnCount: number,
  choose: ColumnChoice | undefined,
): SampleGroup {
  const seqs = new Float64Array(1);
  if (rest) fillRest(seqs, context);
  else {
    seqs[0] = reader.varint('seq');
    take(seqs, context);
  }
  const ts = context.count > 1 ? tsBase(context) + reader.signed('ts') : context.tsMin;
  const mono = reader.varint('mono');
  const codes = reader.skip((columnCount + 1) >>> 1, 'codes');
  const columns: (Column | null)[] = [];
  const wanted = choice(choose, schemaRef, columnCount, seqs);
  const row = wanted === 'checked' || wanted === NOTHING ? scratchRow : new Float64Array(columnCount);
  for (let index = 0; index < columnCount; index += 1) {
    const code = ((reader.bytes[codes + (index >>> 1)] as number) >>> ((index & 1) * 4)) & 15;
    row[index] = readCoded(reader, code, 'value');
    columns.push(isWanted(wanted, index) ? new RowColumn(row, index, code === CODE_NONE) : null);
  }
  return { schemaRef, seqs, ts: Float64Array.of(ts), mono: Float64Array.of(mono), columns, notes: [] };
}

function readRows(
  reader: ByteReader,
  context: FrameContext,
  rows: number,
  rest: boolean,
  schemaRef: SchemaRef,
  columnCount: number,
  choose: ColumnChoice | undefined,
): SampleGroup {
  const { bytes } = reader;
  const slots = columnCount + (rest ? 2 : 3);
  if (slots > directory.length) directory = new Uint32Array(slots);
  const modes = reader.skip(slots, 'modes');
  for (let slot = 0; slot < slots; slot += 1) {
    const length = reader.varint('column length');
    if (length > reader.remaining) throw malformed(`column length: ${length} of ${reader.remaining} bytes`);
    directory[slot] = length;
  }
  let slot = 0;
  const nextIntegers = (): Float64Array => {
    const mode = bytes[modes + slot] as number;
    if ((mode & 0x8f) !== 0) throw malformed(`column: mode ${mode} for integers`);
    const length = directory[slot++] as number;
    const start = reader.skip(length, 'column');
    const values = new Float64Array(rows);
    const encoding = mode >>> 4;
    if (encoding === ENCODING.raw) readRaw(bytes, start, start + length, rows, values);
    else readIntegers(bytes, start, start + length, encoding, rows, 1, values);
    return values;
  };
  let seqs: Float64Array;
  if (rest) {
    seqs = new Float64Array(rows);
    fillRest(seqs, context);
  } else {
    seqs = nextIntegers();
    take(seqs, context);
  }
  const ts = nextIntegers();
  const mono = nextIntegers();
  restoreTimes(ts, mono, context);
  const columns = readColumns(
    reader,
    rows,
    slot,
    modes,
    columnCount,
    choice(choose, schemaRef, columnCount, seqs),
  );
  return { schemaRef, seqs, ts, mono, columns, notes: [] };
}

/** Reads the wanted columns, whose lengths are in the directory from `slot` on and modes at `modes`. */
function readColumns(
  reader: ByteReader,
  rows: number,
  slot: number,
  modes: number,
  columnCount: number,
  wanted: Wanted,
): (Column | null)[] {
  const isPacked = (length: number) => rows > length * PACKED_ROWS_PER_BYTE;
  let own = 0;
  for (let index = 0; index < columnCount; index += 1) {
    if (isWanted(wanted, index) && !isPacked(directory[slot + index] as number)) own += 1;
  }
  // One block for all: small arrays each cost a trip to the allocator.
  const block = new Float64Array(own * rows);
  let used = 0;
  const columns: (Column | null)[] = [];
  try {
    for (let index = 0; index < columnCount; index += 1) {
      const mode = reader.bytes[modes + slot + index] as number;
      const length = directory[slot + index] as number;
      const start = reader.skip(length, 'column');
      if (!isWanted(wanted, index)) {
        if (wanted === 'checked') checkColumn(reader.bytes, start, start + length, mode, rows);
        columns.push(null);
      } else if (isPacked(length)) columns.push(packed(reader.bytes, start, start + length, mode, rows));
      else {
        const values = block.subarray(used, used + rows);
        columns.push(materialise(reader.bytes, start, start + length, mode, values));
        used += rows;
      }
    }
  } catch (error) {
    throw placed(`column ${columns.length + 1} of ${columnCount}`, error);
  }
  return columns;
}

/** Validates the column before it is kept as bytes. */
function packed(bytes: Uint8Array, start: number, end: number, mode: number, rows: number): Column {
  readColumn(bytes, start, end, mode, rows, scratchValues, scratchPresent);
  return new PackedColumn(bytes.slice(start, end), mode, rows);
}

/** Turns offsets, checked to ascend and to be free, into seqs. */
function take(offsets: Float64Array, context: FrameContext): void {
  let previous = -1;
  for (let row = 0; row < offsets.length; row += 1) {
    const offset = offsets[row] as number;
    if (!(offset > previous && offset < context.count && Number.isInteger(offset)) || taken[offset] === 1) {
      throw malformed(`group: seq offset ${offset} is out of place`);
    }
    taken[offset] = 1;
    previous = offset;
    offsets[row] = context.firstSeq + offset;
  }
}

/** The seqs that no group before has taken. */
function fillRest(seqs: Float64Array, context: FrameContext): void {
  let row = 0;
  for (let offset = 0; offset < context.count; offset += 1) {
    if (taken[offset] === 0) seqs[row++] = context.firstSeq + offset;
  }
}

function restoreTimes(ts: Float64Array, mono: Float64Array, context: FrameContext): void {
  const base = tsBase(context);
  const related = monoFollowsTs(context);
  for (let row = 0; row < ts.length; row += 1) {
    const offset = ts[row] as number;
    ts[row] = base + offset;
    if (related) mono[row] = (mono[row] as number) + offset;
    if (!(Number.isSafeInteger(ts[row]) && Number.isSafeInteger(mono[row]) && (mono[row] as number) >= 0)) {
      throw malformed(`times: ts ${ts[row]}, mono ${mono[row]} are no safe integers`);
    }
  }
}

function checkTimes(groups: readonly SampleGroup[], header: FrameHeader): void {
  let tsMin = Number.POSITIVE_INFINITY;
  let tsMax = Number.NEGATIVE_INFINITY;
  for (const { ts } of groups) {
    for (let row = 0; row < ts.length; row += 1) {
      const at = ts[row] as number;
      if (at < tsMin) tsMin = at;
      if (at > tsMax) tsMax = at;
    }
  }
  if (tsMin !== header.tsMin || tsMax !== header.tsMax) {
    throw malformed(`ts: ${tsMin} … ${tsMax}, the header says ${header.tsMin} … ${header.tsMax}`);
  }
}
