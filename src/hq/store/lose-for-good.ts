/** Seqs that HQ had, has no more, and that nobody sends again. */
import { missingWithin, type SeqRange } from '../../protocol/coverage.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { Writer } from '../../storage/storage.ts';
import { putGap } from './append-frame.ts';
import { account, type EpochState } from './epoch-state.ts';
import { type TimeSource, timesOfLost } from './time-beside.ts';

/** What its agent has released, or nobody sends any more: samples by HTTP have no journal, and nor has an old epoch. */
export function neverToCome(
  { coverage, sampled, released }: EpochState,
  lost: readonly SeqRange[],
  { owned, isOver }: { readonly owned: boolean; readonly isOver: boolean },
): readonly SeqRange[] {
  if (owned) return missingWithin(coverage, 1, sampled);
  const last = isOver ? Number.POSITIVE_INFINITY : released;
  return lost.flatMap(([from, to]): SeqRange[] => (from <= last ? [[from, Math.min(to, last)]] : []));
}

export type Losing = {
  readonly agent: string;
  readonly epoch: Epoch;
  readonly state: EpochState;
  readonly gone: readonly SeqRange[];
  /** HQ's wall time, ms. */
  readonly now: number;
};

/** What damage has cost, for the alarm of an agent. */
export function damageDetail(
  agent: string,
  { again, lost }: { readonly again: number; readonly lost: number },
): string {
  const asked = `${again} samples of ${agent} went with damage of HQ's data: HQ asks for them again`;
  const gone = `${lost} are accounted as lost (lost_at_hq), as their agent no longer has them`;
  if (lost === 0) return asked;
  return again === 0
    ? `${lost} samples of ${agent} went with damage of HQ's data and are accounted as lost (lost_at_hq)`
    : `${asked}; ${gone}`;
}

/** Accounts for them as `lost_at_hq`, with a gap each; returns the state with them. */
export function loseForGood(
  writer: Writer,
  source: TimeSource,
  { agent, epoch, state, gone, now }: Losing,
): EpochState {
  const accounting = { kind: 'dropped', reason: 'lost_at_hq' } as const;
  let next = state;
  for (const [first, last] of gone) next = account(next, accounting, first, last).state;
  for (const part of gone) {
    const times = timesOfLost(source, { agent, epoch }, part, { ts: now, coverage: next.coverage });
    putGap({ writer }, agent, epoch, part[0], { lastSeq: part[1], reason: accounting.reason, ...times });
  }
  return next;
}
