/** Small records of agents, one of a kind an agent: alarms, labels. */
import type { z } from 'zod';
import { readPage } from '../../storage/read-page.ts';
import type { Storage } from '../../storage/storage.ts';
import { parseJson, toJson } from './epoch-state.ts';
import { agentOfRecord, agentRecordKey, kindRange, type RecordKind } from './keys.ts';
import { isRunning } from './purge-record.ts';
import type { Transaction } from './transactions.ts';

const PAGE = 1000;

/** By agent; those that cannot be read are left out. */
export function readAgentRecords<T>(
  storage: Storage,
  kind: RecordKind,
  schema: z.ZodType<T>,
): ReadonlyMap<string, T> {
  const found = new Map<string, T>();
  const range = kindRange(kind);
  for (let { from } = range; ; ) {
    const { entries, next } = storage.read((reader) => readPage(reader, { ...range, from, limit: PAGE }));
    for (const { key, value } of entries) {
      const parsed = schema.safeParse(parseJson(value));
      if (parsed.success) found.set(agentOfRecord(key), parsed.data);
    }
    if (next === null) return found;
    from = next;
  }
}

/** Whether an agent is being removed for good, or is gone. */
export function isGone(transaction: Transaction, agent: string): boolean {
  const purge = transaction.purge(agent);
  return isRunning(purge) || (purge !== undefined && transaction.agent(agent) === undefined);
}

/** `null` removes. Of an agent that is being removed for good, or is gone, nothing is written. */
export function writeAgentRecords(
  transaction: Transaction,
  kind: RecordKind,
  changes: ReadonlyMap<string, object | null>,
): void {
  const { writer } = transaction;
  for (const [agent, record] of changes) {
    if (record === null || isGone(transaction, agent)) writer.remove(agentRecordKey(kind, agent));
    else writer.put(agentRecordKey(kind, agent), toJson(record));
  }
}
