/** From columns to a data frame. */
import { FrameError, MAX_FRAME_SAMPLES, type SampleGroup } from '../frame.ts';
import type { Epoch } from '../sample.ts';
import { ByteWriter, malformed } from './bytes.ts';
import { compressBody } from './compress.ts';
import { putGroup } from './group.ts';
import { sealFrame } from './header.ts';

const body = new ByteWriter();
const taken = new Uint8Array(MAX_FRAME_SAMPLES);

/**
 * Encodes columns: `groups` hold every seq of `firstSeq … firstSeq + count − 1` once, each group in ascending order and
 * with all of its columns. Throws FrameError: `too_large` beyond MAX_FRAME_SAMPLES, else `malformed`.
 */
export function encodeGroups(frame: {
  readonly epoch: Epoch;
  readonly firstSeq: number;
  readonly count: number;
  readonly groups: readonly SampleGroup[];
}): Uint8Array {
  const { epoch, firstSeq, count, groups } = frame;
  if (count > MAX_FRAME_SAMPLES) {
    throw new FrameError('too_large', `count: ${count} samples, a frame holds ${MAX_FRAME_SAMPLES}`);
  }
  taken.fill(0, 0, count);
  let rows = 0;
  let tsMin = Number.POSITIVE_INFINITY;
  let tsMax = Number.NEGATIVE_INFINITY;
  let notes = false;
  for (const group of groups) {
    checkGroup(group, firstSeq, count);
    rows += group.seqs.length;
    if (group.notes.length > 0) notes = true;
    for (let row = 0; row < group.ts.length; row += 1) {
      const ts = group.ts[row] as number;
      if (ts < tsMin) tsMin = ts;
      if (ts > tsMax) tsMax = ts;
    }
  }
  if (rows !== count || rows === 0) throw malformed(`groups: ${rows} rows for ${count} seqs`);
  const context = { firstSeq, count, tsMin, tsMax, notes };
  const writer = body.reset();
  let plainBytes = 0;
  for (let index = 0; index < groups.length; index += 1) {
    plainBytes += putGroup(writer, groups[index] as SampleGroup, context, index === groups.length - 1);
  }
  const plain = writer.view();
  const compressed = compressBody(plain, plainBytes);
  const fields = {
    kind: 'data',
    zstd: compressed !== null,
    notes,
    epoch,
    firstSeq,
    count,
    tsMin,
    tsMax,
  } as const;
  return sealFrame(fields, compressed ?? plain);
}

function checkGroup(group: SampleGroup, firstSeq: number, count: number): void {
  const { seqs, ts, mono } = group;
  if (seqs.length === 0 || ts.length !== seqs.length || mono.length !== seqs.length) {
    throw malformed(`group: ${seqs.length} seqs, ${ts.length} ts, ${mono.length} mono`);
  }
  let previous = -1;
  for (let row = 0; row < seqs.length; row += 1) {
    const offset = (seqs[row] as number) - firstSeq;
    if (!(offset > previous && offset < count && Number.isInteger(offset)) || taken[offset] === 1) {
      throw malformed(`group: seq ${seqs[row]} is out of place`);
    }
    taken[offset] = 1;
    previous = offset;
    if (!Number.isSafeInteger(ts[row])) throw malformed(`group: ts ${ts[row]} is no safe integer`);
    const at = mono[row] as number;
    if (!Number.isSafeInteger(at) || at < 0) throw malformed(`group: mono ${at} is no safe integer ≥ 0`);
  }
  for (const column of group.columns) {
    if (column !== null && column.values.length !== seqs.length) {
      throw malformed(`group: ${column.values.length} values in a column of ${seqs.length} rows`);
    }
  }
}
