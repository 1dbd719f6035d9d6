/**
 * Quotas of agents: whose samples take too much of the store, and lose the oldest of them, by their own times. The
 * sizes are kept with the marks of agents (filed-mark.ts); where one is not known, its frames are counted once.
 */
import type { Clock } from '../../platform/clock.ts';
import { readHeader } from '../../protocol/frame-codec.ts';
import { readPage } from '../../storage/read-page.ts';
import type { Storage } from '../../storage/storage.ts';
import { removeRecord } from './append-frame.ts';
import { recordBytes } from './filed-mark.ts';
import { decodeFrameRecord, segmentSamples } from './frame-record.ts';
import { agentRange, parseTimeKey, seqKey } from './keys.ts';
import { noteRemoved, partsOf, type RemovedPart } from './removed-seqs.ts';
import type { Removed } from './retention.ts';
import type { Transaction } from './transactions.ts';
import type { Sizes } from './view.ts';

/** Part of the store that an agent without a quota may take while the store is full. */
export const FULL_SHARE = 1 / 4;
/** Samples go until this share of the quota is used. */
const TARGET = 0.95;
/** Below this share of the quota the agent is no longer over it. */
const NEAR = 0.9;
/** How often it is told that an agent is over its quota still, ms. */
const TELL_EVERY_MS = 60_000;
const PASS_FRAMES = 128;
const COUNTED_AT_ONCE = 64;

export type QuotaOptions = {
  /** Of one agent, bytes; 0: a part of the store, and only while that is full. */
  readonly maxBytesPerAgent: number;
  /** Bound of the store, bytes. */
  readonly maxBytes: number;
  /** Bytes of the store that must go. */
  readonly excessBytes: number;
};

export type OverQuota = { readonly agent: string; readonly excessBytes: number };

/** The agent that is farthest over its quota; null when none is. */
export function overQuota(sizes: Sizes, options: QuotaOptions): OverQuota | null {
  const { maxBytesPerAgent, excessBytes } = options;
  if (maxBytesPerAgent === 0 && excessBytes <= 0) return null;
  const quota = quotaOf(options);
  let over: OverQuota | null = null;
  let most = quota;
  for (const [agent, bytes] of sizes) {
    if (bytes === null || bytes <= most) continue;
    most = bytes;
    const beyond = bytes - quota * TARGET;
    over = { agent, excessBytes: maxBytesPerAgent > 0 ? beyond : Math.min(beyond, excessBytes) };
  }
  return over;
}

const quotaOf = ({ maxBytesPerAgent, maxBytes }: Omit<QuotaOptions, 'excessBytes'>): number =>
  maxBytesPerAgent > 0 ? maxBytesPerAgent : maxBytes * FULL_SHARE;

export type QuotaWatch = {
  /** The agent has lost samples. */
  readonly removed: (agent: string) => void;
  /** To be called often. */
  readonly look: (sizes: Sizes) => void;
};

/** Tells who has lost samples to its quota, and goes on for as long as it is near it. */
export function createQuotaWatch(
  clock: Pick<Clock, 'precise'>,
  options: Omit<QuotaOptions, 'excessBytes'>,
  tell: (agent: string, quotaBytes: number) => void,
): QuotaWatch {
  const quota = quotaOf(options);
  const told = new Map<string, number>();
  return {
    removed: (agent) => {
      if (told.has(agent)) return;
      told.set(agent, clock.precise());
      tell(agent, quota);
    },
    look: (sizes) => {
      const now = clock.precise();
      for (const [agent, at] of told) {
        if (now - at < TELL_EVERY_MS) continue;
        if ((sizes.get(agent) ?? 0) < quota * NEAR) told.delete(agent);
        else {
          told.set(agent, now);
          tell(agent, quota);
        }
      }
    },
  };
}

/** Removes the oldest frames of the agent by their times, up to so many bytes. */
export function removeOldestOf(transaction: Transaction, { agent, excessBytes }: OverQuota): Removed {
  const { writer } = transaction;
  const removed = { frames: 0, samples: 0 };
  const parts: RemovedPart[] = [];
  let bytes = 0;
  const listed = writer.keys({ ...agentRange('T', agent), limit: PASS_FRAMES });
  for (const timeEntry of listed) {
    if (bytes >= excessBytes) break;
    const { epoch, seq } = parseTimeKey(timeEntry);
    const frameKey = seqKey('F', agent, epoch, seq);
    const value = writer.get(frameKey);
    const record = value === undefined ? undefined : decodeFrameRecord(value);
    if (record === undefined) {
      // Damaged, or gone with another hour that lists it.
      writer.remove(timeEntry);
      writer.remove(frameKey);
      continue;
    }
    const { tsMin, tsMax } = readHeader(record.frame);
    removeRecord(transaction, { ...record, agent, epoch, seq, tsMin, tsMax });
    parts.push(...partsOf({ agent, epoch }, record));
    removed.frames += 1;
    removed.samples += segmentSamples(record);
    bytes += recordBytes(record);
  }
  noteRemoved(transaction, parts);
  // What was counted is not there: it is counted again.
  if (bytes < excessBytes && removed.frames === 0 && listed.length < PASS_FRAMES)
    transaction.countAgain(agent);
  return removed;
}

/** What the frames of the agent take in the index. */
export function* countBytes(storage: Storage, agent: string): Generator<void, number> {
  const range = agentRange('F', agent);
  const limit = COUNTED_AT_ONCE;
  let bytes = 0;
  for (let { from } = range; ; ) {
    const { entries, next } = storage.read((reader) => readPage(reader, { ...range, from, limit }));
    for (const { value } of entries) {
      const record = decodeFrameRecord(value);
      if (record !== undefined) bytes += recordBytes(record);
    }
    if (next === null) return bytes;
    from = next;
    yield;
  }
}
