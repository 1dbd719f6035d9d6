/** Times of what lies alongside a stretch of seqs, for the parts of it that nobody has told the times of. */

import { type Coverage, covers, type SeqRange } from '../../protocol/coverage.ts';
import { readHeader } from '../../protocol/frame-codec.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { Reader } from '../../storage/storage.ts';
import { decodeFrameRecord } from './frame-record.ts';
import { decodeGapRecord, type GapRecord } from './gap-record.ts';
import { parseSeqKey, seqKey, seqRange, successor } from './keys.ts';
import type { TailOf } from './log-entry.ts';
import type { Transaction } from './transactions.ts';

type Times = { readonly tsMin: number; readonly tsMax: number };
type Place = { readonly agent: string; readonly epoch: Epoch };

/** Where frames and gaps are looked for: in the index, and in what of the log is not there yet. */
export type TimeSource = { readonly reader: Reader; readonly tail: TailOf };
export const sourceOf = ({ writer, tail }: Transaction): TimeSource => ({ reader: writer, tail });

/** The time of the nearest frame or gap before or after `seq`: of its end that is turned to it. */
export function timeBeside(
  { reader, tail }: TimeSource,
  { agent, epoch }: Place,
  seq: number,
  side: 'before' | 'after',
): number | undefined {
  const isOnSide = (at: number) => (side === 'before' ? at < seq : at > seq);
  const inLog = tail(agent)
    .filter((entry) => entry.epoch === epoch && isOnSide(entry.first))
    .map((entry) => ({ at: entry.first, times: entry }));
  const nearest = (kind: 'F' | 'G') => {
    const all = seqRange(kind, agent, epoch, 0);
    const edge = seqKey(kind, agent, epoch, seq);
    const range =
      side === 'before' ? { from: all.from, to: edge, reverse: true } : { from: successor(edge), to: all.to };
    const entry = reader.range({ ...range, limit: 1 })[0];
    const times = entry === undefined ? undefined : TIMES_OF[kind](entry.value);
    return entry === undefined || times === undefined ? [] : [{ at: parseSeqKey(entry.key).seq, times }];
  };
  const distance = ({ at }: { at: number }) => Math.abs(at - seq);
  const [found] = [...nearest('F'), ...nearest('G'), ...inLog].sort((a, b) => distance(a) - distance(b));
  return side === 'before' ? found?.times.tsMax : found?.times.tsMin;
}

/** When samples that HQ has lost were sampled. `ts`: when that was found out; `coverage`: with them. */
export function timesOfLost(
  source: TimeSource,
  place: Place,
  [first, last]: SeqRange,
  { ts, coverage }: { readonly ts: number; readonly coverage: Coverage },
): Pick<GapRecord, 'fromTs' | 'toTs' | 'open'> {
  const before = timeBeside(source, place, first, 'before');
  const after = timeBeside(source, place, last, 'after') ?? ts;
  const fromTs = before ?? Math.min(ts, after);
  const toTs = Math.max(after, fromTs);
  const closed = covers(coverage, Math.max(1, first - 1), last + 1);
  return closed ? { fromTs, toTs } : { fromTs, toTs, open: true };
}

const TIMES_OF = {
  F: (value: Uint8Array): Times | undefined => {
    const record = decodeFrameRecord(value);
    return record === undefined ? undefined : readHeader(record.frame);
  },
  G: (value: Uint8Array): Times | undefined => {
    const gap = decodeGapRecord(value);
    return gap === undefined ? undefined : { tsMin: gap.fromTs, tsMax: gap.toTs };
  },
};
