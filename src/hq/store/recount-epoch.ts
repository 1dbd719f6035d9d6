/**
 * Counts an epoch again after damage: what its state claims, and neither frames nor gaps nor the record of what
 * retention has removed account for, is lost and taken back.
 *
 * Exact while the state or the record of removed seqs can be read. Of an epoch without such a record, as of versions
 * before it, what lies below the first frame counts as removed: retention begins with the oldest.
 */
import {
  type Coverage,
  countOf,
  cover,
  coveredCount,
  EMPTY_COVERAGE,
  rangesOf,
  type SeqRange,
  subtract,
  unite,
} from '../../protocol/coverage.ts';
import {
  account,
  EMPTY_EPOCH,
  type EpochState,
  type KindCounts,
  NOTHING_COUNTED,
  takeBack,
} from './epoch-state.ts';
import type { Present } from './present.ts';
import type { RemovedSeqs } from './removed-seqs.ts';

export type EpochEvidence = {
  /** As it was saved; undefined when it cannot be read. */
  readonly saved: EpochState | undefined;
  readonly removed: RemovedSeqs | undefined;
  readonly present: Present;
};

export type Recounted = {
  readonly state: EpochState;
  /** What retention has removed: all that the state counts and that is not there. */
  readonly removed: RemovedSeqs;
  /** Taken back, in order, and what it was counted as. */
  readonly lost: readonly SeqRange[];
  readonly counts: KindCounts;
};

export function recountEpoch({ saved, removed, present }: EpochEvidence): Recounted {
  const base = saved ?? stateOfRemoved(removed);
  const elsewhere = removedOf({ saved: base, removed, present });
  const lost = subtract(base.coverage, unite(present.counted.coverage, elsewhere));
  const counts = spread(countOf(lost), kindsOfLost(base, removed, present));
  let state = isBehind(base, removed) ? stateOfRemoved(removed, base) : takeBack(base, lost, counts);
  for (const { accounting, coverage } of present.byKind.values())
    for (const [first, last] of rangesOf(coverage)) state = account(state, accounting, first, last).state;
  const rest = restOf(state, present);
  return {
    state: { ...state, removed: { seqs: coveredCount(rest.coverage), before: 1 } },
    removed: rest,
    lost,
    counts,
  };
}

function restOf(state: EpochState, present: Present): RemovedSeqs {
  let there = EMPTY_COVERAGE;
  for (const { coverage } of present.byKind.values()) there = unite(there, coverage);
  const { stored, dropped, thinned } = kindsOfLost(state, undefined, present);
  const coverage = setOf(subtract(state.coverage, there));
  const sampled = coverage.ranges.at(-1)?.[1] ?? coverage.contiguous;
  return { coverage, sampled, stored, dropped: some(dropped), thinned: some(thinned), before: 1 };
}

const some = (counts: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).filter(([, seqs]) => seqs > 0));

/** With the counts of what was removed alone; `state`: what else is known of the epoch. */
function stateOfRemoved(removed: RemovedSeqs | undefined, state: EpochState = EMPTY_EPOCH): EpochState {
  if (removed === undefined) return state;
  const { before, sampled, ...counted } = removed;
  const noted = { seqs: coveredCount(counted.coverage), before };
  const known = { ...state, ...counted, sampled: Math.max(sampled, state.sampled), removed: noted };
  return account(known, { kind: 'data' }, 1, before - 1).state;
}

/** An older state has come back: it does not know of all that was removed since. */
function isBehind({ coverage }: EpochState, removed: RemovedSeqs | undefined): boolean {
  if (removed === undefined) return false;
  const unknown = countOf(subtract(removed.coverage, coverage));
  return coveredCount(removed.coverage) - unknown < sumOf(removed);
}

function sumOf({ stored, dropped, thinned }: KindCounts): number {
  return [...Object.values(dropped), ...Object.values(thinned)].reduce((sum, seqs) => sum + seqs, stored);
}

/** Seqs that rightly count although nothing is there of them. */
function removedOf({ saved, removed, present }: EpochEvidence & { readonly saved: EpochState }): Coverage {
  const missing = subtract(saved.coverage, present.counted.coverage);
  if (removed === undefined && saved.removed === undefined) return below(missing, present.firstFrame);
  const noted = removed?.coverage ?? EMPTY_COVERAGE;
  const before = removed?.before ?? saved.removed?.before ?? 1;
  const all = unite(noted, below(missing, before));
  // The record is gone, or an older one has come back: only how many there were is known.
  const unnoted = (saved.removed?.seqs ?? 0) - coveredCount(noted);
  return unnoted <= 0 ? all : unite(all, lowest(subtract(setOf(missing), all), unnoted));
}

const setOf = (ranges: readonly SeqRange[]): Coverage =>
  ranges.reduce((coverage, [first, last]) => cover(coverage, first, last), EMPTY_COVERAGE);

function below(ranges: readonly SeqRange[], seq: number): Coverage {
  return setOf(
    ranges.flatMap(([first, last]): SeqRange[] => (first < seq ? [[first, Math.min(last, seq - 1)]] : [])),
  );
}

function lowest(ranges: readonly SeqRange[], seqs: number): Coverage {
  let left = seqs;
  let taken = EMPTY_COVERAGE;
  for (const [first, last] of ranges) {
    if (left <= 0) break;
    const end = Math.min(last, first + left - 1);
    taken = cover(taken, first, end);
    left -= end - first + 1;
  }
  return taken;
}

/** What the state counts beyond what is there and what was noted as removed. */
function kindsOfLost(base: EpochState, removed: RemovedSeqs | undefined, present: Present): KindCounts {
  const { stored, dropped, thinned } = removed ?? NOTHING_COUNTED;
  const rest = { stored: base.stored - stored, dropped: { ...base.dropped }, thinned: { ...base.thinned } };
  const lessen = (of: Record<string, number>, reason: string, seqs: number) => {
    of[reason] = (of[reason] ?? 0) - seqs;
  };
  for (const [reason, seqs] of Object.entries(dropped)) lessen(rest.dropped, reason, seqs);
  for (const [reason, seqs] of Object.entries(thinned)) lessen(rest.thinned, reason, seqs);
  for (const { accounting, coverage } of present.byKind.values()) {
    const seqs = coveredCount(coverage) - countOf(subtract(coverage, base.coverage));
    if (accounting.kind === 'data') rest.stored -= seqs;
    else lessen(rest[accounting.kind], accounting.reason, seqs);
  }
  return rest;
}

/** So many of them in all. Where nobody knows what some were counted as, they were samples before anything else. */
function spread(seqs: number, rest: KindCounts): KindCounts {
  let left = seqs;
  const take = (most: number) => {
    const taken = Math.min(left, Math.max(0, most));
    left -= taken;
    return taken;
  };
  const stored = take(rest.stored);
  const of = (counts: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(counts).map(([reason, most]) => [reason, take(most)]));
  const thinned = of(rest.thinned);
  return { stored, thinned, dropped: of(rest.dropped) };
}
