/**
 * Thinned frames: statistics of consecutive samples in place of the samples. docs/protocol.md has the layout byte by
 * byte.
 *
 *     groups up to the end of the body, each:
 *       schema ref   6 bytes
 *       columns      varint: series of the schema
 *       rows         varint: buckets
 *       modes        one byte a slot
 *       lengths      one varint for each slot that is not absent
 *       data         of each slot that is not absent
 *     slots: seq − firstSeq, size, ts − base, span, mono − (ts − base); then for each series: counts, numbers, min,
 *     max, sum
 *
 * Counts are absent where they equal the sizes, numbers where they equal the counts. Min, max and sum have an entry for
 * each bucket with numbers, and are absent when no bucket has any.
 *
 * Invariants of every frame that is written or read: the sizes add up to the header's count; within a group first seqs
 * ascend; every seq of the frame can belong to one bucket that begins at or before it; no count exceeds the bucket's
 * size.
 */
import {
  type BucketColumn,
  type BucketGroup,
  type DownsampledFrame,
  FrameError,
  type FrameHeader,
  MAX_FRAME_SAMPLES,
} from '../frame.ts';
import { type Epoch, MAX_SERIES_PER_SCHEMA } from '../sample.ts';
import { type ByteReader, ByteWriter, isHex48, malformed, placed } from './bytes.ts';
import { putColumn, readColumn } from './column.ts';
import { compressBody } from './compress.ts';
import { choice, type DecodeOptions, isWanted, payloadOf, type Wanted } from './decode.ts';
import { type FrameContext, monoFollowsTs, tsBase } from './group.ts';
import { parseVerified, sealFrame } from './header.ts';
import { ENCODING } from './integers.ts';
import { checkColumn, checkExactBuckets, Packed, SERIES_SLOTS, type Slots } from './packed-buckets.ts';

const BASE_SLOTS = 5;
const ABSENT = ENCODING.absent << 4;
const SPARSE = 0x80;

const body = new ByteWriter();
const slotData = new ByteWriter();
const whole = new Float64Array(MAX_FRAME_SAMPLES);
const noPresence = new Uint8Array(0);

/**
 * Encodes buckets; see the invariants above. Throws FrameError: `too_large` beyond MAX_FRAME_SAMPLES buckets, else
 * `malformed`.
 */
export function encodeDownsampled(frame: {
  readonly epoch: Epoch;
  readonly firstSeq: number;
  readonly count: number;
  readonly groups: readonly BucketGroup[];
}): Uint8Array {
  const { epoch, firstSeq, count, groups } = frame;
  for (const group of groups) checkShape(group);
  const { tsMin, tsMax } = timesOf(groups);
  checkPlaces(groups, firstSeq, count);
  const context: FrameContext = { firstSeq, count, tsMin, tsMax, notes: false };
  const writer = body.reset();
  let raw = 0;
  for (const group of groups) raw += putGroup(writer, group, context);
  const plain = writer.view();
  const compressed = compressBody(plain, raw);
  const fields = { kind: 'thinned', zstd: compressed !== null, notes: false, epoch } as const;
  return sealFrame({ ...fields, firstSeq, count, tsMin, tsMax }, compressed ?? plain);
}

/** Returns how many bytes are raw doubles. */
function putGroup(writer: ByteWriter, group: BucketGroup, context: FrameContext): number {
  const { schemaRef, seqs, sizes, ts, spans, mono, columns } = group;
  const rows = seqs.length;
  const base = tsBase(context);
  const related = monoFollowsTs(context);
  const modes = new Uint8Array(BASE_SLOTS + columns.length * SERIES_SLOTS);
  const lengths: number[] = [];
  const data = slotData.reset();
  let slot = 0;
  let raw = 0;
  const put = (values: Float64Array, count: number) => {
    const before = data.length;
    const mode = putColumn(data, values, null, count);
    modes[slot++] = mode;
    lengths.push(data.length - before);
    if (((mode >>> 4) & 7) === ENCODING.raw) raw += data.length - before;
  };
  const putWhole = (valueAt: (row: number) => number) => {
    for (let row = 0; row < rows; row += 1) whole[row] = valueAt(row);
    put(whole, rows);
  };
  const leaveOut = () => {
    modes[slot++] = ABSENT;
  };
  putWhole((row) => (seqs[row] as number) - context.firstSeq);
  putWhole((row) => sizes[row] as number);
  putWhole((row) => (ts[row] as number) - base);
  putWhole((row) => spans[row] as number);
  putWhole((row) => (mono[row] as number) - (related ? (ts[row] as number) - base : 0));
  for (const column of columns) {
    if (column === null) throw malformed('group: a column was not decoded');
    const { counts, numbers } = column;
    if (isSame(counts, sizes, rows)) leaveOut();
    else put(counts, rows);
    if (isSame(numbers, counts, rows)) leaveOut();
    else put(numbers, rows);
    for (const values of [column.min, column.max, column.sum]) {
      let filled = 0;
      for (let row = 0; row < rows; row += 1) {
        if ((numbers[row] as number) > 0) whole[filled++] = values[row] as number;
      }
      if (filled === 0) leaveOut();
      else put(whole, filled);
    }
  }
  writer.hex48(schemaRef);
  writer.varint(columns.length);
  writer.varint(rows);
  writer.raw(modes);
  for (const length of lengths) writer.varint(length);
  writer.raw(data.view());
  return raw;
}

function isSame(a: Float64Array, b: Float64Array, rows: number): boolean {
  for (let row = 0; row < rows; row += 1) if (a[row] !== b[row]) return false;
  return true;
}

/** Lengths and values that an encoder may be given by mistake. */
function checkShape(group: BucketGroup): void {
  const { schemaRef, seqs, sizes, ts, spans, mono, columns } = group;
  const rows = seqs.length;
  if (!isHex48(schemaRef)) throw malformed(`schema ref: ${schemaRef}`);
  if (columns.length > MAX_SERIES_PER_SCHEMA) throw malformed(`group: ${columns.length} columns`);
  if (rows === 0 || [sizes, ts, spans, mono].some(({ length }) => length !== rows)) {
    throw malformed(`group: ${rows} buckets, but not as many of each figure`);
  }
  checkTimes(group);
  for (const column of columns) {
    if (column === null) continue;
    const { counts, numbers, min, max, sum } = column;
    if ([counts, numbers, min, max, sum].some(({ length }) => length !== rows)) {
      throw malformed(`group: a column that is not of ${rows} buckets`);
    }
    checkColumn(column, sizes);
  }
}

function checkTimes({ ts, spans, mono }: BucketGroup): void {
  for (let row = 0; row < ts.length; row += 1) {
    const [from, span, at] = [ts[row] as number, spans[row] as number, mono[row] as number];
    const isRange =
      Number.isSafeInteger(from) &&
      Number.isSafeInteger(span) &&
      span >= 0 &&
      Number.isSafeInteger(from + span);
    if (!isRange || !Number.isSafeInteger(at) || at < 0) {
      throw malformed(`times: ts ${from}, span ${span}, mono ${at} are no safe integers`);
    }
  }
}

function timesOf(groups: readonly BucketGroup[]): { tsMin: number; tsMax: number } {
  let tsMin = Number.POSITIVE_INFINITY;
  let tsMax = Number.NEGATIVE_INFINITY;
  for (const { ts, spans } of groups) {
    for (let row = 0; row < ts.length; row += 1) {
      const from = ts[row] as number;
      const to = from + (spans[row] as number);
      if (from < tsMin) tsMin = from;
      if (to > tsMax) tsMax = to;
    }
  }
  return { tsMin, tsMax };
}

/** All buckets of a frame by first seq: where each begins and how many samples are in it. */
export function placesOf(groups: readonly BucketGroup[]): { starts: Float64Array; sizes: Float64Array } {
  const only = groups[0];
  if (groups.length === 1 && only !== undefined) return { starts: only.seqs, sizes: only.sizes };
  const all = groups.flatMap(({ seqs, sizes }) =>
    Array.from(seqs, (start, row) => ({ start, size: sizes[row] as number })),
  );
  all.sort((a, b) => a.start - b.start);
  return {
    starts: Float64Array.from(all, ({ start }) => start),
    sizes: Float64Array.from(all, ({ size }) => size),
  };
}

function checkPlaces(groups: readonly BucketGroup[], firstSeq: number, count: number): void {
  const rows = groups.reduce((sum, { seqs }) => sum + seqs.length, 0);
  if (rows > MAX_FRAME_SAMPLES) {
    throw new FrameError('too_large', `rows: ${rows} buckets, a frame holds ${MAX_FRAME_SAMPLES}`);
  }
  for (const { seqs, sizes } of groups) {
    let previous = -1;
    for (let row = 0; row < seqs.length; row += 1) {
      const offset = (seqs[row] as number) - firstSeq;
      const size = sizes[row] as number;
      const fits = Number.isInteger(offset) && offset > previous && Number.isInteger(size) && size >= 1;
      if (!fits || offset + size > count) throw malformed(`bucket: ${size} samples from seq ${seqs[row]} on`);
      previous = offset;
    }
  }
  const { starts, sizes } = placesOf(groups);
  let samples = 0;
  let previous = firstSeq - 1;
  for (let row = 0; row < rows; row += 1) {
    const start = starts[row] as number;
    // What lies before it must have a bucket, and it begins with a seq of its own.
    if (start <= previous || samples < start - firstSeq)
      throw malformed(`bucket: seq ${start} is out of place`);
    previous = start;
    samples += sizes[row] as number;
  }
  if (samples !== count) throw malformed(`buckets: ${samples} samples for ${count} seqs`);
}

/**
 * Decodes a thinned frame after verifying its checksum; columns that are not asked for are stepped over and null.
 * Columns are checked at once and their arrays made when first read. Throws FrameError.
 */
export function decodeDownsampled(bytes: Uint8Array, options: DecodeOptions = {}): DownsampledFrame {
  const { header } = parseVerified(bytes);
  if (header.kind !== 'thinned') {
    throw new FrameError('unsupported_kind', `kind: ${header.kind} holds no buckets`);
  }
  const reader = payloadOf(bytes, header);
  const groups: BucketGroup[] = [];
  let room = MAX_FRAME_SAMPLES;
  try {
    while (reader.remaining > 0) {
      const group = readGroup(reader, header, room, options);
      room -= group.seqs.length;
      groups.push(group);
    }
  } catch (error) {
    throw placed(`group ${groups.length + 1}`, error);
  }
  checkPlaces(groups, header.firstSeq, header.count);
  const { tsMin, tsMax } = timesOf(groups);
  if (tsMin !== header.tsMin || tsMax !== header.tsMax) {
    throw malformed(`ts: ${tsMin} … ${tsMax}, the header says ${header.tsMin} … ${header.tsMax}`);
  }
  return { header, groups };
}

function readGroup(
  reader: ByteReader,
  header: FrameHeader,
  room: number,
  options: DecodeOptions,
): BucketGroup {
  const context: FrameContext = { ...header, notes: false };
  const schemaRef = reader.hex48('schema ref');
  const columnCount = reader.varint('columns');
  if (columnCount > MAX_SERIES_PER_SCHEMA) throw malformed(`group: ${columnCount} columns`);
  const rows = reader.varint('rows');
  if (rows < 1 || rows > room) throw malformed(`group: ${rows} buckets, room for ${room}`);
  const { bytes } = reader;
  const slots = BASE_SLOTS + columnCount * SERIES_SLOTS;
  const modes = reader.skip(slots, 'modes');
  const lengths = new Uint32Array(slots);
  for (let slot = 0; slot < slots; slot += 1) {
    const mode = bytes[modes + slot] as number;
    if ((mode & SPARSE) !== 0) throw malformed('slot: no slot is sparse');
    if (mode === ABSENT) continue;
    const length = reader.varint('length');
    if (length > reader.remaining) throw malformed(`length: ${length} of ${reader.remaining} bytes`);
    lengths[slot] = length;
  }
  let slot = 0;
  const nextInteger = (): Float64Array => {
    const mode = bytes[modes + slot] as number;
    const isPlain = mode === ENCODING.raw << 4 || ((mode & 15) === 0 && mode < ENCODING.raw << 4);
    if (!isPlain) throw malformed(`slot: mode ${mode} for integers`);
    const length = lengths[slot] as number;
    const start = reader.skip(length, 'slot');
    slot += 1;
    const values = new Float64Array(rows);
    readColumn(bytes, start, start + length, mode, rows, values, noPresence);
    return values;
  };
  const seqs = nextInteger();
  const sizes = nextInteger();
  const ts = nextInteger();
  const spans = nextInteger();
  const mono = nextInteger();
  const base = tsBase(context);
  const related = monoFollowsTs(context);
  for (let row = 0; row < rows; row += 1) {
    const offset = ts[row] as number;
    seqs[row] = header.firstSeq + (seqs[row] as number);
    ts[row] = base + offset;
    if (related) mono[row] = (mono[row] as number) + offset;
  }
  const columns = readColumns(reader, {
    modes: bytes.subarray(modes + slot, modes + slots),
    lengths: lengths.subarray(slot),
    sizes,
    wanted: choice(options.columns, schemaRef, columnCount, seqs),
  });
  const group: BucketGroup = { schemaRef, seqs, sizes, ts, spans, mono, columns };
  checkTimes(group);
  return group;
}

function readColumns(
  reader: ByteReader,
  { modes, lengths, sizes, wanted }: Slots & { readonly wanted: Wanted },
): (BucketColumn | null)[] {
  const columnCount = modes.length / SERIES_SLOTS;
  const columns: (BucketColumn | null)[] = [];
  try {
    for (let index = 0; index < columnCount; index += 1) {
      const slot = index * SERIES_SLOTS;
      let length = 0;
      for (let one = 0; one < SERIES_SLOTS; one += 1) length += lengths[slot + one] as number;
      const start = reader.skip(length, 'slot');
      if (isWanted(wanted, index)) {
        const own: Slots = {
          modes: modes.slice(slot, slot + SERIES_SLOTS),
          lengths: lengths.slice(slot, slot + SERIES_SLOTS),
          sizes,
        };
        columns.push(new Packed(reader.bytes.slice(start, start + length), own));
        continue;
      }
      if (wanted === 'checked') {
        const own: Slots = { modes: modes.subarray(slot), lengths: lengths.subarray(slot), sizes };
        checkExactBuckets(reader.bytes.subarray(start, start + length), own);
      }
      columns.push(null);
    }
  } catch (error) {
    throw placed(`column ${columns.length + 1} of ${columnCount}`, error);
  }
  return columns;
}
