/**
 * An entry of the arrival log:
 *
 *     flags u8 · length of the agent's id u8 · agent's id · epoch u48 · frame record (see frame-record.ts)
 *
 * Flag 1: the frame is a thinned one; flag 2: it is large, was put into the index at once, and is left out here.
 */
import type { SeqRange } from '../../protocol/coverage.ts';
import { readHeader } from '../../protocol/frame-codec.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { Reader } from '../../storage/storage.ts';
import { decodeFrameRecord, encodeFrameRecord, type FrameRecord } from './frame-record.ts';
import { asBuffer, entryKey, seqKey } from './keys.ts';

export type LogEntry = {
  readonly agent: string;
  readonly epoch: Epoch;
  readonly isDownsampled: boolean;
  /** Its frame is empty where it is in the index already. */
  readonly record: FrameRecord;
  readonly isFiled: boolean;
};

/** What is kept in memory of an entry that is not in the index yet. */
export type TailEntry = {
  readonly number: number;
  readonly epoch: Epoch;
  /** Seqs that it contributed: the first and the last. */
  readonly first: number;
  readonly last: number;
  /** Where it did not contribute all from the first to the last: what it did. */
  readonly stretches?: readonly SeqRange[];
  readonly tsMin: number;
  readonly tsMax: number;
  readonly samples: number;
  readonly bytes: number;
  /** HQ's wall time, ms. */
  readonly arrivalTs: number;
};

/** Where entries of one agent are that are not in the index yet, oldest first. */
export type TailOf = (agent: string) => readonly TailEntry[];

const THINNED = 1;
const FILED = 2;
const EPOCH_BYTES = 6;
const NOTHING = new Uint8Array();

export function encodeLogEntry({ agent, epoch, isDownsampled, isFiled, record }: LogEntry): Uint8Array {
  const stored = encodeFrameRecord(isFiled ? { ...record, frame: NOTHING } : record);
  const at = 2 + agent.length;
  const value = Buffer.allocUnsafe(at + EPOCH_BYTES + stored.length);
  value[0] = (isDownsampled ? THINNED : 0) | (isFiled ? FILED : 0);
  value[1] = agent.length;
  value.write(agent, 2, 'latin1');
  value.write(epoch, at, EPOCH_BYTES, 'hex');
  value.set(stored, at + EPOCH_BYTES);
  return value;
}

/** Undefined when the bytes are no entry. */
export function decodeLogEntry(value: Uint8Array): LogEntry | undefined {
  const bytes = asBuffer(value);
  const [flags = 0, length = 0] = bytes;
  const at = 2 + length;
  const record = decodeFrameRecord(value.subarray(at + EPOCH_BYTES));
  if (record === undefined) return undefined;
  return {
    agent: bytes.toString('latin1', 2, at),
    epoch: bytes.toString('hex', at, at + EPOCH_BYTES),
    isDownsampled: (flags & THINNED) !== 0,
    isFiled: (flags & FILED) !== 0,
    record,
  };
}

/** Whose it is. */
export function agentOfEntry(value: Uint8Array): string {
  const bytes = asBuffer(value);
  return bytes.toString('latin1', 2, 2 + (bytes[1] ?? 0));
}

/** With its frame, wherever that is; undefined when it is not there any more, or damaged. */
export function readLogEntry(reader: Reader, number: number): LogEntry | undefined {
  const value = reader.get(entryKey(number));
  const entry = value === undefined ? undefined : decodeLogEntry(value);
  if (entry === undefined || !entry.isFiled) return entry;
  const { agent, epoch, record } = entry;
  const filed = reader.get(seqKey('F', agent, epoch, record.segments[0]?.first ?? 0));
  const inIndex = filed === undefined ? undefined : decodeFrameRecord(filed);
  return inIndex === undefined ? undefined : { ...entry, record: inIndex };
}

/** Seqs that the entry contributed. */
export const seqsOf = ({ first, last, stretches }: TailEntry): readonly SeqRange[] =>
  stretches ?? [[first, last]];

/** Throws FrameError where the frame's header cannot be read. */
export function tailEntryOf({ epoch, record }: LogEntry): TailEntry {
  const { tsMin, tsMax, count } = readHeader(record.frame);
  const { segments, logNumber, frame } = record;
  return {
    number: logNumber,
    epoch,
    tsMin,
    tsMax,
    first: segments[0]?.first ?? 0,
    last: segments.at(-1)?.last ?? 0,
    samples: count,
    bytes: frame.length,
    arrivalTs: segments[0]?.arrivalTs ?? 0,
    ...(segments.length > 1 && { stretches: segments.map(({ first, last }): SeqRange => [first, last]) }),
  };
}
