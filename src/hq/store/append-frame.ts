/** Puts one frame into a transaction: dedup, ledger, arrival log, gaps; and what is put into the index. */

import type { Coverage, SeqRange } from '../../protocol/coverage.ts';
import { decodeGap } from '../../protocol/frame-codec.ts';
import type { Epoch } from '../../protocol/sample.ts';
import { type Accounting, account, EMPTY_EPOCH, markDelivered, THINNED, toJson } from './epoch-state.ts';
import { recordBytes } from './filed-mark.ts';
import { encodeFrameRecord, type Segment, type StoredLane } from './frame-record.ts';
import type { GapRecord } from './gap-record.ts';
import { hoursOf, orderKey, seqKey, timeKey, writeOrderedDouble } from './keys.ts';
import { bringBack } from './retired-agents.ts';
import { noteReturned } from './returned-epoch.ts';
import type { IngestFrame, IngestOutcome } from './store.ts';
import { sourceOf, timeBeside, timesOfLost } from './time-beside.ts';
import type { Transaction } from './transactions.ts';

/** A frame that is larger goes into the index at once, as it is: there is nothing to merge, and it is written once. */
const LARGE_SAMPLES = 256;
const LARGE_BYTES = 16 * 1024;

/** Throws FrameError for a gap frame that does not decode; nothing is accounted then. */
export function appendFrame(transaction: Transaction, ingest: IngestFrame): IngestOutcome {
  const { agent, header, bytes, arrivalTs } = ingest;
  const { epoch, firstSeq, count, tsMin, tsMax } = header;
  const state = transaction.epoch(agent, epoch) ?? EMPTY_EPOCH;
  const gap = header.kind === 'gap' ? decodeGap(bytes) : null;
  const accounting: Accounting =
    gap !== null
      ? { kind: 'dropped', reason: gap.reason }
      : header.kind === 'thinned'
        ? THINNED
        : { kind: 'data' };
  const accounted = account(state, accounting, firstSeq, firstSeq + count - 1);
  const first = accounted.added[0];
  if (first === undefined) {
    return { stored: 0, thinned: 0, duplicates: count, dropped: 0, coverage: state.coverage };
  }
  const next = markDelivered(accounted.state);
  noteReturned(transaction, agent, epoch, state);
  if (transaction.agent(agent) === undefined) {
    transaction.setAgent(agent, { agent, epoch, firstSeenTs: arrivalTs, ownEpoch: null });
  } else bringBack(transaction, agent);
  if (gap !== null) {
    transaction.setEpoch(agent, epoch, next);
    for (const [from, to] of accounted.added) {
      putGap(transaction, agent, epoch, from, {
        lastSeq: to,
        reason: gap.reason,
        ...(gap.reason === 'lost_at_hq'
          ? timesOfLostGap(transaction, ingest, [from, to], accounted.state.coverage)
          : timesOfPart(transaction, ingest, [from, to])),
      });
    }
  } else {
    const segments = accounted.added.map(([from, to]) => ({ first: from, last: to, arrivalTs }));
    const isDownsampled = header.kind === 'thinned';
    const isFiled = count >= LARGE_SAMPLES || bytes.length >= LARGE_BYTES;
    const record = { lane: ingest.lane, segments, frame: bytes };
    const entry = transaction.appendEntry({ agent, epoch, isDownsampled, isFiled, record }, next);
    if (isFiled) putRecord(transaction, { agent, epoch, tsMin, tsMax, ...entry.record });
  }
  return {
    stored: accounting.kind === 'data' ? accounted.count : 0,
    duplicates: count - accounted.count,
    thinned: accounting.kind === 'thinned' ? accounted.count : 0,
    dropped: accounting.kind === 'dropped' ? accounted.count : 0,
    coverage: accounted.state.coverage,
  };
}

/**
 * When the part `[from, to]` of a gap was sampled. Of a gap that grew on the agent after a part of it was delivered, or
 * over samples that HQ has, the frame tells the times of the whole: where the part does not reach its end, what HQ has
 * alongside it says more.
 */
function timesOfPart(
  transaction: Transaction,
  { agent, header: { epoch, firstSeq, count, tsMin, tsMax } }: IngestFrame,
  [from, to]: SeqRange,
): Pick<GapRecord, 'fromTs' | 'toTs'> {
  const place = { agent, epoch };
  const before = from === firstSeq ? undefined : timeBeside(sourceOf(transaction), place, from, 'before');
  const after =
    to === firstSeq + count - 1 ? undefined : timeBeside(sourceOf(transaction), place, to, 'after');
  // Wall clocks jump: never outside of what the frame says.
  const fromTs = Math.min(Math.max(before ?? tsMin, tsMin), tsMax);
  return { fromTs, toTs: Math.max(Math.min(after ?? tsMax, tsMax), fromTs) };
}

/**
 * An agent that has lost samples no more knows their time, and tells when it found that out; HQ then takes what lies on
 * both sides. A span of time, or a moment before what comes next, is what is known of them, and stands.
 */
function timesOfLostGap(
  transaction: Transaction,
  ingest: IngestFrame,
  part: SeqRange,
  coverage: Coverage,
): Pick<GapRecord, 'fromTs' | 'toTs' | 'open'> {
  const { agent, header } = ingest;
  const { epoch, tsMin, tsMax } = header;
  const around = timesOfLost(sourceOf(transaction), { agent, epoch }, part, { ts: tsMax, coverage });
  const isKnown = tsMin < tsMax || (around.fromTs <= tsMax && tsMax < around.toTs);
  return isKnown ? timesOfPart(transaction, ingest, part) : around;
}

export function putGap(
  transaction: Pick<Transaction, 'writer'>,
  agent: string,
  epoch: Epoch,
  firstSeq: number,
  gap: GapRecord,
): void {
  transaction.writer.put(seqKey('G', agent, epoch, firstSeq), toJson(gap));
}

export type RecordPlace = {
  readonly agent: string;
  readonly epoch: Epoch;
  readonly tsMin: number;
  readonly tsMax: number;
};

/** Writes a frame record into the index, by seq, time and arrival. */
export function putRecord(
  transaction: Pick<Transaction, 'writer' | 'addBytes'>,
  record: RecordPlace & {
    readonly lane: StoredLane;
    readonly logNumber: number;
    readonly segments: readonly Segment[];
    readonly frame: Uint8Array;
  },
): void {
  const { agent, epoch } = record;
  const seq = record.segments[0]?.first ?? 0;
  transaction.addBytes(agent, recordBytes(record));
  transaction.writer.put(seqKey('F', agent, epoch, seq), encodeFrameRecord(record));
  putPlaces(transaction, record);
}

/** Lists a frame record of the index by time and arrival. */
export function putPlaces(
  { writer }: Pick<Transaction, 'writer'>,
  record: RecordPlace & { readonly logNumber: number; readonly segments: readonly Segment[] },
): void {
  const { agent, epoch, tsMin, tsMax } = record;
  const seq = record.segments[0]?.first ?? 0;
  writer.put(orderKey(record.logNumber), seqKey('F', agent, epoch, seq));
  const until = Buffer.allocUnsafe(8);
  writeOrderedDouble(until, tsMax, 0);
  for (const hour of hoursOf(tsMin, tsMax)) writer.put(timeKey(agent, hour, tsMin, epoch, seq), until);
}

/** Removes what `putRecord` wrote. */
export function removeRecord(
  transaction: Transaction,
  record: RecordPlace & { readonly seq: number; readonly logNumber: number; readonly frame: Uint8Array },
): void {
  const { writer } = transaction;
  const { agent, epoch, tsMin, tsMax, seq } = record;
  transaction.addBytes(agent, -recordBytes(record));
  writer.remove(seqKey('F', agent, epoch, seq));
  writer.remove(orderKey(record.logNumber));
  for (const hour of hoursOf(tsMin, tsMax)) writer.remove(timeKey(agent, hour, tsMin, epoch, seq));
}
