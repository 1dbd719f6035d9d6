/** What an agent says of its epoch at hello: seqs that have left its journal and that HQ lacks will never come. */
import type { Coverage } from '../../protocol/coverage.ts';
import type { Epoch } from '../../protocol/sample.ts';
import { putGap } from './append-frame.ts';
import { account, EMPTY_EPOCH, type EpochState } from './epoch-state.ts';
import { bringBack, returned } from './retired-agents.ts';
import { noteReturned } from './returned-epoch.ts';
import { sourceOf, timesOfLost } from './time-beside.ts';
import type { Transaction } from './transactions.ts';

export type EpochNote = {
  readonly agent: string;
  readonly epoch: Epoch;
  /** Highest seq given out. */
  readonly sampled: number;
  /** Every seq up to here has left the agent's journal. */
  readonly released: number;
  /** The run that is accepted; without one what is known stays. */
  readonly run?: { readonly number: number; readonly instance: string } | null;
  /** HQ's or the agent's wall time, ms; stands for times that nobody knows. */
  readonly ts: number;
};

export function accountLost(transaction: Transaction, note: EpochNote): Coverage {
  const { agent, epoch, ts } = note;
  bringBack(transaction, agent);
  const state = transaction.epoch(agent, epoch) ?? EMPTY_EPOCH;
  const accounting = { kind: 'dropped', reason: 'lost_at_hq' } as const;
  noteReturned(transaction, agent, epoch, state);
  const accounted = account(state, accounting, 1, note.released);
  for (const [first, last] of accounted.added) {
    putGap(transaction, agent, epoch, first, {
      lastSeq: last,
      reason: accounting.reason,
      ...timesOfLost(sourceOf(transaction), note, [first, last], { ts, coverage: accounted.state.coverage }),
    });
  }
  transaction.setEpoch(agent, epoch, {
    ...accounted.state,
    sampled: Math.max(accounted.state.sampled, note.sampled),
    released: Math.max(accounted.state.released, note.released),
    run: runOf(accounted.state, note),
  });
  const record = transaction.agent(agent) ?? { agent, epoch, firstSeenTs: ts, ownEpoch: null };
  // The agent has a new journal: what was heard of the old one is written down for good.
  const old = record.epoch === epoch ? undefined : transaction.epoch(agent, record.epoch);
  if (old !== undefined) transaction.setEpoch(agent, record.epoch, old);
  transaction.setAgent(agent, returned({ ...record, epoch }));
  return accounted.state.coverage;
}

/** A run that connects again has delivered what it had. */
export function runOf({ run }: EpochState, note: EpochNote): EpochState['run'] {
  if (note.run == null || note.run.instance === run?.instance) return run;
  return { ...note.run, delivered: false };
}
