/** The ledger of an agent: per epoch what became of every seq. */

import type { LedgerEntry } from '../../protocol/api.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { Storage } from '../../storage/storage.ts';
import { type EpochState, pendingOf } from './epoch-state.ts';
import { decodeGapRecord } from './gap-record.ts';
import { parseSeqKey, seqRange } from './keys.ts';
import type { TailOf } from './log-entry.ts';
import { timeBeside } from './time-beside.ts';

/** Gaps shown per epoch, newest kept; the counts are exact all the same. */
export const MAX_GAPS_LISTED = 10_000;

export type LedgerSource = {
  readonly storage: Storage;
  readonly tail: TailOf;
  readonly epochs: (agent: string) => readonly Epoch[];
  readonly state: (agent: string, epoch: Epoch) => EpochState | undefined;
};

/** Each epoch is read at one time with its state: an entry is exact, however much comes between two of them. */
export function* queryLedger(source: LedgerSource, agent: string): Generator<void, readonly LedgerEntry[]> {
  const entries: LedgerEntry[] = [];
  for (const epoch of source.epochs(agent)) {
    const now = source.state(agent, epoch);
    if (now !== undefined) entries.push(ledgerEntry(source, agent, epoch, now));
    yield;
  }
  return entries;
}

function ledgerEntry(source: LedgerSource, agent: string, epoch: Epoch, state: EpochState): LedgerEntry {
  return {
    epoch,
    sampled: state.sampled,
    stored: state.stored,
    pending: pendingOf(state),
    thinned: { ...state.thinned },
    dropped: { ...state.dropped },
    contiguous: state.coverage.contiguous,
    ranges: state.coverage.ranges.map(([first, last]) => [first, last]),
    gaps: gapsOf(source, agent, epoch),
  };
}

/** Gaps by seq; touching ones of one reason as one. */
function gapsOf({ storage, tail }: LedgerSource, agent: string, epoch: Epoch): LedgerEntry['gaps'] {
  const query = { ...seqRange('G', agent, epoch, 0), reverse: true, limit: MAX_GAPS_LISTED };
  const gaps: LedgerEntry['gaps'] = [];
  const open = new Set<LedgerEntry['gaps'][number]>();
  for (const { key, value } of storage.read((reader) => reader.range(query)).toReversed()) {
    const decoded = decodeGapRecord(value);
    if (decoded === undefined) continue;
    const { open: isOpen = false, ...record } = decoded;
    const { seq: firstSeq } = parseSeqKey(key);
    const previous = gaps.at(-1);
    if (previous !== undefined && previous.reason === record.reason && previous.lastSeq + 1 === firstSeq) {
      previous.lastSeq = record.lastSeq;
      previous.fromTs = Math.min(previous.fromTs, record.fromTs);
      previous.toTs = Math.max(previous.toTs, record.toTs);
    } else {
      gaps.push({ firstSeq, ...record });
    }
    const gap = gaps.at(-1);
    if (isOpen && gap !== undefined) open.add(gap);
  }
  for (const gap of open) {
    const [before, after] = storage.read((reader) => [
      timeBeside({ reader, tail }, { agent, epoch }, gap.firstSeq, 'before'),
      timeBeside({ reader, tail }, { agent, epoch }, gap.lastSeq, 'after'),
    ]);
    gap.toTs = Math.min(gap.toTs, after ?? gap.toTs);
    gap.fromTs = Math.min(before ?? gap.fromTs, gap.toTs);
  }
  return gaps;
}
