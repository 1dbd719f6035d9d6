/**
 * The steps in which the records of an agent are removed for good, each small enough for others to commit between two
 * of them. A step that is done again does the same.
 */

import { coveredCount, unite } from '../../protocol/coverage.ts';
import type { Epoch } from '../../protocol/sample.ts';
import { EMPTY_EPOCH, type EpochState } from './epoch-state.ts';
import { decodeFrameRecord } from './frame-record.ts';
import {
  agentRange,
  asBuffer,
  entryKey,
  expiryKey,
  type KeyKind,
  KIND_SCOPES,
  orderKey,
  readOrderedDouble,
} from './keys.ts';
import type { Transaction } from './transactions.ts';

/** Of one step: commits of frames wait for it. */
const STEP_KEYS = 256;
const STEP_BYTES = 4 * 1024 * 1024;
const EXPIRY_BYTES = 8;

/** Kinds whose records are removed by their keys alone; the agent's own record goes last. */
const PLAIN_KINDS = (Object.keys(KIND_SCOPES) as KeyKind[]).filter(
  (kind) => KIND_SCOPES[kind] === 'agent' && !['A', 'D', 'F'].includes(kind),
);

export type PurgeStep = {
  readonly removed: number;
  /** Entries of the log among them. */
  readonly entries: number;
  readonly isDone: boolean;
};

/**
 * Closes some of its epochs; with the last its frames leave the log for those who read it. Epochs of its journals leave
 * behind what HQ has acked: the agent has it no more, and may come back. `heardOf`: the highest seq of an epoch.
 */
export function closeEpochs(
  transaction: Transaction,
  agent: string,
  heardOf: (agent: string, epoch: Epoch) => number,
): void {
  const purge = transaction.purge(agent);
  if (purge?.phase !== 'marked') return;
  const epochs = transaction.epochs(agent);
  for (const epoch of epochs.slice(0, STEP_KEYS)) {
    const state = transaction.epoch(agent, epoch);
    const { coverage } = transaction.left(agent, epoch) ?? EMPTY_EPOCH;
    const left =
      state && leftOf({ ...state, coverage: unite(state.coverage, coverage) }, heardOf(agent, epoch));
    transaction.dropEpoch(agent, epoch, left ?? null);
  }
  if (epochs.length > STEP_KEYS) return;
  transaction.setFiled(agent, transaction.lastNumber());
  transaction.setRollups(agent, { to: transaction.lastNumber(), missed: {} });
  transaction.setBytes(agent, 0);
  transaction.setPurge(agent, { ...purge, phase: 'emptying' });
}

/** Null: its agent will miss nothing, as HQ has given out the seqs itself, or holds none. */
function leftOf(state: EpochState, heardOf: number): EpochState | null {
  const covered = coveredCount(state.coverage);
  if (state.owned || covered === 0) return null;
  const { released, coverage, run } = state;
  const sampled = Math.max(state.sampled, heardOf);
  return { ...EMPTY_EPOCH, sampled, released, coverage, run, dropped: { purged: covered } };
}

/** Removes some of its records; `entries`: numbers of its entries of the log. Its epochs are closed. */
export function removeSome(transaction: Transaction, agent: string, entries: readonly number[]): PurgeStep {
  const { writer } = transaction;
  const purge = transaction.purge(agent);
  if (purge === undefined || purge.phase === 'done') return { removed: 0, entries: 0, isDone: true };
  const room = { keys: STEP_KEYS, bytes: STEP_BYTES };
  const isFull = () => room.keys <= 0 || room.bytes <= 0;
  const remove = (key: Uint8Array, bytes = 0) => {
    writer.remove(key);
    room.keys -= 1;
    room.bytes -= bytes;
  };
  const gone = entries.slice(0, room.keys);
  for (const number of gone) remove(entryKey(number));
  const step = (isDone: boolean): PurgeStep => ({
    removed: STEP_KEYS - room.keys,
    entries: gone.length,
    isDone,
  });
  for (const key of isFull() ? [] : keysOf(transaction, 'F', agent)) {
    if (isFull()) break;
    const value = writer.get(key);
    const record = value === undefined ? undefined : decodeFrameRecord(value);
    if (record !== undefined) writer.remove(orderKey(record.logNumber));
    remove(key, value?.length);
  }
  for (const key of isFull() ? [] : keysOf(transaction, 'D', agent)) {
    if (isFull()) break;
    const value = writer.get(key);
    if (value !== undefined && value.length >= EXPIRY_BYTES)
      writer.remove(expiryKey(readOrderedDouble(asBuffer(value), 0), key));
    remove(key);
  }
  for (const kind of PLAIN_KINDS) {
    for (const key of isFull() ? [] : keysOf(transaction, kind, agent)) {
      if (isFull()) break;
      remove(key);
    }
  }
  if (isFull()) return step(false);
  transaction.dropAgent(agent);
  transaction.setPurge(agent, { ...purge, phase: 'done' });
  return step(true);
}

const keysOf = ({ writer }: Transaction, kind: KeyKind, agent: string): readonly Uint8Array[] =>
  writer.keys({ ...agentRange(kind, agent), limit: STEP_KEYS });
