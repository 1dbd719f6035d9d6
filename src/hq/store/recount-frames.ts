/** Steps of a recount over frames, entries of the log and gaps: each seq is left to one of them. */
import { countOf } from '../../protocol/coverage.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { Writer } from '../../storage/storage.ts';
import { putGap, putPlaces, putRecord } from './append-frame.ts';
import { recordBytes } from './filed-mark.ts';
import { decodeFrameRecord, type FrameRecord, type Segment } from './frame-record.ts';
import { decodeGapRecord } from './gap-record.ts';
import { orderKey, parseSeqKey, seqKey } from './keys.ts';
import { decodeLogEntry } from './log-entry.ts';
import { addPresent } from './present.ts';
import { presentOf, type Recount } from './recount-step.ts';
import { addRecord, type SoundFrame, soundFrame } from './scan-frames.ts';

const textOf = (key: Uint8Array): string => Buffer.from(key).toString('latin1');
const seqsOf = (segments: readonly Segment[]): number =>
  countOf(segments.map(({ first, last }) => [first, last]));

/** A frame of the index stays as far as it stands for seqs that no other one does. */
export function countFrame(writer: Writer, key: Uint8Array, recount: Recount): number {
  if (recount.written.has(textOf(key))) return 0;
  const { agent, epoch } = parseSeqKey(key);
  if (recount.leaving.has(agent)) {
    writer.remove(key);
    return 0;
  }
  const value = writer.get(key);
  const record = value === undefined ? undefined : decodeFrameRecord(value);
  const sound = record === undefined ? null : soundFrame(record, epoch);
  if (record === undefined || sound === null) {
    recount.tally.unreadable += 1;
    writer.remove(key);
    return value?.length ?? 0;
  }
  const own = take(writer, recount, { agent, epoch, record, sound });
  const { tsMin, tsMax } = sound;
  const isWhole = seqsOf(own) === seqsOf(record.segments) && isFree(writer, record.logNumber);
  if (isWhole) {
    addBytes(recount)(agent, recordBytes(record));
    putPlaces({ writer }, { agent, epoch, tsMin, tsMax, ...record });
  } else {
    writer.remove(key);
    put(writer, recount, { agent, epoch, record: { ...record, segments: own }, sound });
  }
  return record.frame.length;
}

/** An entry of the log goes; where the index lacks its frame, that is filed. */
export function countEntry(writer: Writer, key: Uint8Array, recount: Recount): number {
  const value = writer.get(key);
  writer.remove(key);
  const entry = value === undefined ? undefined : decodeLogEntry(value);
  if (entry?.isFiled === true || (entry !== undefined && recount.leaving.has(entry.agent)))
    return value?.length ?? 0;
  const sound = entry === undefined ? null : soundFrame(entry.record, entry.epoch);
  if (entry === undefined || sound === null) {
    recount.tally.unreadable += 1;
    return value?.length ?? 0;
  }
  const { agent, epoch, record } = entry;
  const own = take(writer, recount, { agent, epoch, record, sound });
  put(writer, recount, { agent, epoch, record: { ...record, segments: own }, sound });
  return record.frame.length;
}

/** A gap stays as far as no frame and no other gap stands for its seqs. */
export function countGap(writer: Writer, key: Uint8Array, recount: Recount): number {
  if (recount.written.has(textOf(key))) return 0;
  const { agent, epoch, seq } = parseSeqKey(key);
  const gap = recount.leaving.has(agent) ? undefined : decodeGapRecord(writer.get(key));
  if (gap === undefined) {
    recount.tally.unreadable += 1;
    writer.remove(key);
    return 0;
  }
  const present = presentOf(recount, writer, { agent, epoch });
  const own = addPresent(present, { kind: 'dropped', reason: gap.reason }, seq, gap.lastSeq);
  if (countOf(own) === gap.lastSeq - seq + 1) return 0;
  writer.remove(key);
  for (const [first, lastSeq] of own) {
    putGap({ writer }, agent, epoch, first, { ...gap, lastSeq });
    recount.written.add(textOf(seqKey('G', agent, epoch, first)));
  }
  return 0;
}

type Found = {
  readonly agent: string;
  readonly epoch: Epoch;
  readonly record: FrameRecord;
  readonly sound: SoundFrame;
};

/** Counts it; gives the segments that are its own. */
function take(writer: Writer, recount: Recount, { agent, epoch, record, sound }: Found): readonly Segment[] {
  const present = presentOf(recount, writer, { agent, epoch });
  const own = addRecord(present, record, sound.accounting);
  if (own.length === 0) return own;
  recount.tally.frames += 1;
  recount.nextNumber = Math.max(recount.nextNumber, record.logNumber + 1);
  const schemas = recount.schemas.get(agent) ?? new Set();
  recount.schemas.set(agent, schemas);
  for (const ref of sound.schemas) schemas.add(ref);
  return own;
}

const isFree = (writer: Writer, number: number): boolean => writer.get(orderKey(number)) === undefined;

const addBytes =
  ({ bytes }: Recount) =>
  (agent: string, more: number) =>
    void bytes.set(agent, (bytes.get(agent) ?? 0) + more);

/** Puts what is left of it into the index. Two records never have one number: retention would lose sight of one. */
function put(writer: Writer, recount: Recount, { agent, epoch, record, sound }: Found): void {
  const [first] = record.segments;
  if (first === undefined) return;
  const isNew = !isFree(writer, record.logNumber);
  const logNumber = isNew ? recount.nextNumber : record.logNumber;
  if (isNew) recount.nextNumber += 1;
  const { tsMin, tsMax } = sound;
  putRecord({ writer, addBytes: addBytes(recount) }, { ...record, agent, epoch, tsMin, tsMax, logNumber });
  recount.written.add(textOf(seqKey('F', agent, epoch, first.first)));
}
