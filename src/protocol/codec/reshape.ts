/** Frames out of frames: merging, splitting, slicing. */
import {
  type Column,
  type DataFrame,
  FrameError,
  MAX_FRAME_SAMPLES,
  type RowNotes,
  type SampleGroup,
} from '../frame.ts';
import { malformed } from './bytes.ts';
import { decodeData } from './decode.ts';
import { encodeGroups } from './encode.ts';
import { parseHeader } from './header.ts';

/** Consecutive data frames of one epoch as one, groups of one schema joined. Throws FrameError. */
export function mergeFrames(frames: readonly Uint8Array[]): Uint8Array {
  const decoded = frames.map((bytes) => decodeData(bytes));
  const first = decoded[0];
  if (first === undefined) throw malformed('merge: no frames');
  const { epoch, firstSeq } = first.header;
  let next = firstSeq;
  const parts = new Map<string, SampleGroup[]>();
  for (const { header, groups } of decoded) {
    if (header.epoch !== epoch || header.firstSeq !== next) {
      throw malformed(
        `merge: ${header.epoch} ${header.firstSeq} does not follow ${epoch} … ${next - 1} directly`,
      );
    }
    next += header.count;
    for (const group of groups) {
      const part = parts.get(group.schemaRef);
      if (part === undefined) parts.set(group.schemaRef, [group]);
      else part.push(group);
    }
  }
  const count = next - firstSeq;
  if (count > MAX_FRAME_SAMPLES) {
    throw new FrameError('too_large', `merge: ${count} samples, a frame holds ${MAX_FRAME_SAMPLES}`);
  }
  return encodeGroups({ epoch, firstSeq, count, groups: [...parts.values()].map(join) });
}

function join(parts: readonly SampleGroup[]): SampleGroup {
  const first = parts[0] as SampleGroup;
  if (parts.length === 1) return first;
  const rows = parts.reduce((sum, part) => sum + part.seqs.length, 0);
  const concat = (arrayOf: (part: SampleGroup) => Float64Array): Float64Array => {
    const all = new Float64Array(rows);
    let at = 0;
    for (const part of parts) {
      const array = arrayOf(part);
      all.set(array, at);
      at += array.length;
    }
    return all;
  };
  let before = 0;
  const notes = [];
  for (const part of parts) {
    if (part.columns.length !== first.columns.length) {
      throw malformed(
        `merge: ${part.schemaRef} with ${part.columns.length} and ${first.columns.length} columns`,
      );
    }
    for (const note of part.notes) notes.push({ ...note, row: note.row + before });
    before += part.seqs.length;
  }
  return {
    schemaRef: first.schemaRef,
    seqs: concat((part) => part.seqs),
    ts: concat((part) => part.ts),
    mono: concat((part) => part.mono),
    columns: first.columns.map((_, index) => joinColumn(parts, index, rows)),
    notes,
  };
}

function joinColumn(parts: readonly SampleGroup[], index: number, rows: number): Column {
  const values = new Float64Array(rows);
  let present: Uint8Array | null = null;
  let at = 0;
  for (const { columns, seqs } of parts) {
    const column = columns[index] as Column;
    values.set(column.values, at);
    if (column.present !== null) {
      present ??= new Uint8Array(rows).fill(1);
      present.set(column.present, at);
    }
    at += seqs.length;
  }
  return { values, present };
}

/**
 * The samples `firstSeq … lastSeq` of a data frame as a frame of their own; all of it gives the same bytes back. Throws
 * FrameError.
 */
export function sliceFrame(bytes: Uint8Array, firstSeq: number, lastSeq: number): Uint8Array {
  const frame = decodeData(bytes);
  const end = frame.header.firstSeq + frame.header.count - 1;
  if (!(firstSeq >= frame.header.firstSeq && lastSeq <= end && firstSeq <= lastSeq)) {
    throw malformed(`slice: ${firstSeq} … ${lastSeq} is not within ${frame.header.firstSeq} … ${end}`);
  }
  return firstSeq === frame.header.firstSeq && lastSeq === end ? bytes : cut(frame, firstSeq, lastSeq);
}

/** The same of a frame that is decoded already. */
export function cut(frame: DataFrame, firstSeq: number, lastSeq: number): Uint8Array {
  const groups: SampleGroup[] = [];
  for (const group of frame.groups) {
    const from = lowerBound(group.seqs, firstSeq);
    const to = lowerBound(group.seqs, lastSeq + 1);
    if (from === to) continue;
    groups.push({
      schemaRef: group.schemaRef,
      seqs: group.seqs.subarray(from, to),
      ts: group.ts.subarray(from, to),
      mono: group.mono.subarray(from, to),
      columns: group.columns.map((column) => column && cutColumn(column, from, to)),
      notes: group.notes
        .filter(({ row }) => row >= from && row < to)
        .map((note) => ({ ...note, row: note.row - from })),
    });
  }
  return encodeGroups({ epoch: frame.header.epoch, firstSeq, count: lastSeq - firstSeq + 1, groups });
}

function cutColumn(column: Column, from: number, to: number): Column {
  const present = column.present?.subarray(from, to) ?? null;
  return { values: column.values.subarray(from, to), present };
}

/** First row at `seq` or behind it. */
export function lowerBound(seqs: Float64Array, seq: number): number {
  let low = 0;
  let high = seqs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((seqs[middle] as number) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * A data frame in version 1 of the notes: its anomalies without method and threshold. The same bytes where it has none.
 * Throws FrameError.
 */
export function withoutJudgements(bytes: Uint8Array): Uint8Array {
  const { header, notes } = parseHeader(bytes);
  if (header.kind !== 'data' || !notes) return bytes;
  const { groups } = decodeData(bytes);
  const isJudged = ({ anomalies }: RowNotes) => anomalies.some(({ judgement }) => judgement !== undefined);
  if (!groups.some((group) => group.notes.some(isJudged))) return bytes;
  const { epoch, firstSeq, count } = header;
  return encodeGroups({
    epoch,
    firstSeq,
    count,
    groups: groups.map((group) => ({ ...group, notes: group.notes.map(unjudged) })),
  });
}

function unjudged({ anomalies, ...rest }: RowNotes): RowNotes {
  return { ...rest, anomalies: anomalies.map(({ judgement: _, ...anomaly }) => anomaly) };
}

/**
 * A data frame as frames within the limits, in seq order. A single sample that is larger than `maxBytes` is returned as
 * it is, in a frame of its own. Throws FrameError.
 */
export function splitFrame(
  bytes: Uint8Array,
  limits: { readonly maxBytes: number; readonly maxSamples: number },
): readonly Uint8Array[] {
  const frame = decodeData(bytes);
  const { firstSeq, count } = frame.header;
  const fits = (one: Uint8Array, samples: number) =>
    samples === 1 || (one.length <= limits.maxBytes && samples <= limits.maxSamples);
  if (fits(bytes, count)) return [bytes];
  const out: Uint8Array[] = [];
  const divide = (first: number, samples: number, size: number): void => {
    const pieces = Math.min(
      samples,
      Math.max(2, Math.ceil(samples / Math.max(1, limits.maxSamples)), Math.ceil(size / limits.maxBytes)),
    );
    for (let piece = 0; piece < pieces; piece += 1) {
      const from = first + Math.floor((samples * piece) / pieces);
      const to = first + Math.floor((samples * (piece + 1)) / pieces);
      const part = cut(frame, from, to - 1);
      if (fits(part, to - from)) out.push(part);
      else divide(from, to - from, part.length);
    }
  };
  divide(firstSeq, count, bytes.length);
  return out;
}
