/** An epoch whose agent was removed for good, and has come back. */
import type { Epoch } from '../../protocol/sample.ts';
import { type EpochState, toJson } from './epoch-state.ts';
import type { GapRecord } from './gap-record.ts';
import { seqKey } from './keys.ts';
import type { Transaction } from './transactions.ts';

/** What HQ had of it stands in its ledger as gaps; `state`: as the transaction has found it. */
export function noteReturned(transaction: Transaction, agent: string, epoch: Epoch, state: EpochState): void {
  const { purged = 0 } = state.dropped;
  if (purged === 0 || transaction.epochs(agent).includes(epoch)) return;
  const ts = transaction.purge(agent)?.ts ?? 0;
  const { contiguous, ranges } = state.coverage;
  for (const [first, last] of contiguous === 0 ? ranges : [[1, contiguous] as const, ...ranges]) {
    const gap: GapRecord = { lastSeq: last, reason: 'purged', fromTs: ts, toTs: ts };
    transaction.writer.put(seqKey('G', agent, epoch, first), toJson(gap));
  }
}
