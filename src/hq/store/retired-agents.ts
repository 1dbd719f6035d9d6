/** Agents that an operator has retired: their records stay, and what comes of them brings them back. */
import type { StoredAgent } from './epoch-state.ts';
import type { Transaction } from './transactions.ts';

/** False: there is none that is not retired already. */
export function retireAgent(transaction: Transaction, agent: string, ts: number): boolean {
  const record = transaction.agent(agent);
  if (record === undefined || record.retiredTs !== undefined) return false;
  transaction.setAgent(agent, { ...record, retiredTs: ts, paused: undefined, rhythm: undefined });
  return true;
}

/** The record of an agent of which something has come. */
export const returned = (record: StoredAgent): StoredAgent => ({ ...record, retiredTs: undefined });

export function bringBack(transaction: Transaction, agent: string): void {
  const record = transaction.agent(agent);
  if (record?.retiredTs !== undefined) transaction.setAgent(agent, returned(record));
}
