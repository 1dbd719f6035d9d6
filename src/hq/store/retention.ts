/**
 * Retention: the oldest frames by arrival go when they are too old or the store too large. The ledger goes on counting
 * them.
 */

import { readHeader } from '../../protocol/frame-codec.ts';
import type { Reader, Storage } from '../../storage/storage.ts';
import { removeRecord } from './append-frame.ts';
import { decodeFrameRecord, segmentSamples } from './frame-record.ts';
import { decodeGapRecord } from './gap-record.ts';
import {
  dedupKeyOfExpiry,
  entryRange,
  expiredRange,
  orderKey,
  orderRange,
  parseOrderKey,
  parseSeqKey,
} from './keys.ts';
import { decodeLogEntry } from './log-entry.ts';
import { noteRemoved, partsOf, type RemovedPart } from './removed-seqs.ts';
import type { Transaction } from './transactions.ts';

export type Retention = {
  /** Frames that arrived longer ago are removed, ms. Default 30 days. */
  readonly maxAgeMs: number;
  /** When the store holds more bytes the oldest frames are removed. Default: no bound. */
  readonly maxBytes: number;
  /** The same of the frames of one agent; 0: only while the store is full, see agent-quota.ts. */
  readonly maxBytesPerAgent: number;
};

/** What seems to have arrived later than this after now did so while HQ's clock was wrong, ms. */
const AHEAD_MS = 86_400_000;
/** Frames removed in one transaction at most. */
const PASS_FRAMES = 128;
const PASS_KEYS = 2_000;

export type Removed = { readonly frames: number; readonly samples: number };

/** When the frame that was stored last arrived; null when there is none. */
export function newestArrival(storage: Storage): number | null {
  return storage.read((reader) => {
    const last = reader.range({ ...entryRange(0), reverse: true, limit: 1 })[0];
    const entry = last === undefined ? undefined : decodeLogEntry(last.value);
    if (entry !== undefined) return entry.record.segments.at(-1)?.arrivalTs ?? null;
    const filed = reader.range({ ...orderRange(0), reverse: true, limit: 1 })[0];
    const value = filed === undefined ? undefined : reader.get(filed.value);
    const record = value === undefined ? undefined : decodeFrameRecord(value);
    return record?.segments.at(-1)?.arrivalTs ?? null;
  });
}

/** When the frame that was stored first of those that are left arrived; null when there is none. */
export function oldestArrival(storage: Storage): number | null {
  return storage.read((reader) => {
    const filed = reader.range({ ...orderRange(0), limit: 1 })[0];
    const value = filed === undefined ? undefined : reader.get(filed.value);
    const record = value === undefined ? undefined : decodeFrameRecord(value);
    if (record !== undefined) return record.segments[0]?.arrivalTs ?? null;
    const first = reader.range({ ...entryRange(0), limit: 1 })[0];
    return (
      (first === undefined ? undefined : decodeLogEntry(first.value))?.record.segments[0]?.arrivalTs ?? null
    );
  });
}

export type Age = {
  /** What arrived before is too old, ms. */
  readonly cutoff: number;
  /** HQ's wall time, ms. */
  readonly now: number;
};

type Arrival = { readonly number: number; readonly arrivalTs: number };

/** When the first record from this number on arrived; of one that is gone or damaged long ago. */
function arrivalFrom(reader: Reader, number: number, reverse = false): Arrival | null {
  const [entry] = reader.keys({ ...orderRange(number), reverse, limit: 1 });
  if (entry === undefined) return null;
  const frameKey = reader.get(entry);
  const value = frameKey === undefined ? undefined : reader.get(frameKey);
  const record = value === undefined ? undefined : decodeFrameRecord(value);
  const arrivalTs = record?.segments.at(-1)?.arrivalTs ?? Number.NEGATIVE_INFINITY;
  return { number: parseOrderKey(entry), arrivalTs };
}

/**
 * The number of a frame that is too old, which all before it are, too, that seem to come from the future: they arrived
 * while HQ's clock was ahead, and what came behind them tells their age. 0: none do, or nothing tells.
 */
function tooOldTo(reader: Reader, { cutoff, now }: Age): number {
  const isAhead = ({ arrivalTs }: Arrival) => arrivalTs > now + AHEAD_MS;
  let low = arrivalFrom(reader, 0);
  let high = arrivalFrom(reader, 0, true);
  if (low === null || high === null || !isAhead(low) || isAhead(high)) return 0;
  while (high.number - low.number > 1) {
    const middle = arrivalFrom(reader, Math.floor((low.number + high.number) / 2));
    if (middle === null || middle.number >= high.number) {
      // Nothing between the middle and the one that is known.
      const below = arrivalBelow(reader, high.number);
      if (below === null || isAhead(below)) break;
      high = below;
    } else if (isAhead(middle)) low = middle;
    else high = middle;
  }
  return high.arrivalTs < cutoff ? high.number : 0;
}

function arrivalBelow(reader: Reader, number: number): Arrival | null {
  const { from } = orderRange(0);
  const [entry] = reader.keys({ from, to: orderKey(number), reverse: true, limit: 1 });
  return entry === undefined ? null : arrivalFrom(reader, parseOrderKey(entry));
}

const isTooOld = ({ number, arrivalTs }: Arrival, { cutoff, now }: Age, oldTo: number): boolean =>
  arrivalTs < cutoff || (arrivalTs > now + AHEAD_MS && number < oldTo);

/** Whether the oldest frame must go, and why. */
export function retentionReason(
  storage: Storage,
  { isFull, ...age }: Age & { readonly isFull: boolean },
): 'age' | 'size' | null {
  const oldest = storage.read((reader) => arrivalFrom(reader, 0));
  if (oldest === null) return null;
  // An entry whose frame is gone or damaged is swept with the old ones.
  if (
    isTooOld(
      oldest,
      age,
      storage.read((reader) => tooOldTo(reader, age)),
    )
  )
    return 'age';
  return isFull ? 'size' : null;
}

/**
 * Removes the oldest frames: those that are too old, or up to `excessBytes`; dangling log entries go with them.
 */
export function removeOldest(
  transaction: Transaction,
  { excessBytes, ...age }: Age & { readonly excessBytes: number },
): Removed {
  const { writer } = transaction;
  const oldTo = tooOldTo(writer, age);
  let frames = 0;
  let samples = 0;
  let bytes = 0;
  const parts: RemovedPart[] = [];
  for (const logEntry of writer.keys({ ...orderRange(0), limit: PASS_FRAMES })) {
    const frameKey = writer.get(logEntry);
    const value = frameKey === undefined ? undefined : writer.get(frameKey);
    const record = value === undefined ? undefined : decodeFrameRecord(value);
    if (frameKey === undefined || value === undefined || record === undefined) {
      writer.remove(logEntry);
      if (frameKey !== undefined) {
        writer.remove(frameKey);
        transaction.countAgain(parseSeqKey(frameKey).agent);
      }
      continue;
    }
    const arrivalTs = record.segments.at(-1)?.arrivalTs ?? 0;
    const arrival = { number: record.logNumber, arrivalTs };
    if (!isTooOld(arrival, age, oldTo) && bytes >= excessBytes) break;
    const { tsMin, tsMax } = readHeader(record.frame);
    const place = parseSeqKey(frameKey);
    removeRecord(transaction, { ...record, ...place, tsMin, tsMax });
    parts.push(...partsOf(place, record));
    frames += 1;
    samples += segmentSamples(record);
    bytes += value.length;
  }
  noteRemoved(transaction, parts);
  return { frames, samples };
}

/** Removes these records of gaps. */
export function removeGaps(transaction: Transaction, keys: readonly Uint8Array[]): void {
  const parts: RemovedPart[] = [];
  for (const key of keys) {
    const gap = decodeGapRecord(transaction.writer.get(key));
    transaction.writer.remove(key);
    if (gap === undefined) continue;
    const { agent, epoch, seq } = parseSeqKey(key);
    const accounting = { kind: 'dropped', reason: gap.reason } as const;
    parts.push({ agent, epoch, accounting, first: seq, last: gap.lastSeq });
  }
  noteRemoved(transaction, parts);
}

/** Forgets idempotency keys that expired before `now`; returns them. */
export function removeExpiredKeys({ writer }: Transaction, now: number): readonly Uint8Array[] {
  const expired = writer.keys({ ...expiredRange(now), limit: PASS_KEYS });
  const keys = expired.map(dedupKeyOfExpiry);
  for (const key of [...expired, ...keys]) writer.remove(key);
  return keys;
}

export function hasExpiredKeys(storage: Storage, now: number): boolean {
  return storage.read((reader) => reader.keys({ ...expiredRange(now), limit: 1 })).length > 0;
}
