/** The records of agents: who they are, retired or removed for good, and what is kept of each: alarms, labels. */
import type { Epoch } from '../../protocol/sample.ts';
import type { Storage } from '../../storage/storage.ts';
import { atOnce } from '../at-once.ts';
import { readAgentRecords, writeAgentRecords } from './agent-records.ts';
import { alarmRecordSchema } from './alarms.ts';
import type { EpochState, StoredAgent } from './epoch-state.ts';
import { readHistory, writeHistory } from './ingest-history.ts';
import { labelRecordSchema } from './labels.ts';
import type { Purges } from './purges.ts';
import { retireAgent } from './retired-agents.ts';
import type { AgentRecord, HqStore } from './store.ts';
import type { Transaction, Transactions } from './transactions.ts';

export type AgentRegistryOptions = {
  readonly storage: Storage;
  readonly transactions: Transactions;
  readonly purges: Purges;
  readonly epochOf: (agent: string, epoch: Epoch) => EpochState | undefined;
};

export function agentRegistry({ storage, transactions, purges, epochOf }: AgentRegistryOptions) {
  const recordOf = ({ agent, epoch, firstSeenTs, paused, rhythm, retiredTs }: StoredAgent): AgentRecord => ({
    agent,
    epoch,
    firstSeenTs,
    owned: epochOf(agent, epoch)?.owned ?? false,
    paused,
    rhythm,
    retiredTs,
  });
  /** Those of agents that are being removed go with them. */
  const kept = <T>(records: ReadonlyMap<string, T>): ReadonlyMap<string, T> =>
    new Map([...records].filter(([agent]) => !purges.isRunning(agent)));
  return {
    agents: () =>
      atOnce(() =>
        [...transactions.durable.agents.values()]
          .filter(({ agent, retiredTs }) => retiredTs === undefined && !purges.isRunning(agent))
          .map(recordOf),
      ),
    retire: (agent, ts) => transactions.run((transaction) => retireAgent(transaction, agent, ts)),
    agent: (agent) =>
      atOnce(() => {
        const record = transactions.durable.agents.get(agent);
        return record === undefined || purges.isRunning(agent) ? null : recordOf(record);
      }),
    purge: purges.mark,
    purgeOf: (agent) => atOnce(() => purges.of(agent)),
    purged$: purges.purged$,
    alarms: () => atOnce(() => kept(readAgentRecords(storage, 'W', alarmRecordSchema))),
    ingestHistory: () => atOnce(() => readHistory(storage)),
    saveIngestHistory: (changes) => transactions.run((transaction) => writeHistory(transaction, changes)),
    saveAlarms: (changes) => transactions.run((transaction) => writeAgentRecords(transaction, 'W', changes)),
    labels: () => atOnce(() => kept(readAgentRecords(storage, 'B', labelRecordSchema))),
    saveLabels: (changes) => transactions.run((transaction) => writeAgentRecords(transaction, 'B', changes)),
    savePauses: (changes) =>
      transactions.run((transaction) =>
        changeAgents(transaction, changes, (paused) => ({ paused: paused ?? undefined })),
      ),
    saveRhythms: (changes) =>
      transactions.run((transaction) =>
        changeAgents(transaction, changes, (rhythm) => ({ rhythm: rhythm ?? undefined })),
      ),
  } satisfies Partial<HqStore>;
}

/** Agents that are not known, or are retired, are left out. */
function changeAgents<T>(
  transaction: Transaction,
  changes: ReadonlyMap<string, T>,
  change: (news: T) => Partial<StoredAgent>,
): void {
  for (const [agent, news] of changes) {
    const record = transaction.agent(agent);
    if (record?.retiredTs === undefined && record !== undefined)
      transaction.setAgent(agent, { ...record, ...change(news) });
  }
}
