/**
 * Removes agents for good, with all that was stored of them: marked durably at once, done in steps behind everything
 * else, and gone on with after a start. What stays of an agent is that it was removed, and of each epoch of its
 * journals what HQ had acked: when it comes back its ledger says `purged` of those samples: they never come again.
 *
 * Invariants:
 * - from the mark until the end nothing of the agent is taken, as who lets agents in asks (`of`): they wait with it;
 * - a mark that nobody was told of (its commit was said to have failed) ends when something comes of the agent;
 * - an agent that comes back is a new one: what was kept of it in memory is forgotten before it is let in.
 */
import { defer, map, type Observable, of, Subject, switchMap, tap } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import type { Epoch } from '../../protocol/sample.ts';
import { readPage } from '../../storage/read-page.ts';
import type { Storage } from '../../storage/storage.ts';
import { countsOf } from './agent-counts.ts';
import type { Backpressure } from './backpressure.ts';
import { kindRange, parseEntryKey } from './keys.ts';
import { agentOfEntry } from './log-entry.ts';
import type { PurgeRecord } from './purge-record.ts';
import { closeEpochs, removeSome } from './purge-records.ts';
import { sliced } from './sliced.ts';
import type { Purge } from './store.ts';
import type { StoreEmit } from './store-events.ts';
import type { Transaction, Transactions } from './transactions.ts';

/** Entries of the log that are looked at before others may have their turn. */
const SCAN_ENTRIES = 32;

export type Purges = {
  /** Marks it. Emits what the ledger came to; null: there is no such agent. `ts`: HQ's wall time, ms. */
  readonly mark: (agent: string, ts: number) => Observable<Purge | null>;
  /** Null: it never was removed, or has not been since it came back. */
  readonly of: (agent: string) => Purge | null;
  /** It is not done yet. */
  readonly isRunning: (agent: string) => boolean;
  /** Does a step, if there is one to do; emits whether there is more. */
  readonly step: () => Observable<boolean>;
  /** Agents that are gone. */
  readonly purged$: Observable<string>;
  /** Nobody is told any more. */
  readonly close: () => void;
};

export type PurgesOptions = {
  readonly storage: Storage;
  readonly transactions: Transactions;
  readonly clock: Clock;
  readonly backpressure: Backpressure;
  /** The highest seq of an epoch that HQ was told of. */
  readonly heardOf: (agent: string, epoch: Epoch) => number;
  /** Takes the agent out of all that the store keeps in memory. */
  readonly forget: (agent: string) => void;
  readonly emit: StoreEmit;
};

/** What is under way. */
type Job = { removed: number; entries: readonly number[] | null };

export function createPurges(options: PurgesOptions): Purges {
  const { transactions, forget, emit } = options;
  const { durable } = transactions;
  const jobs = new Map<string, Job>();
  for (const [agent, { phase }] of durable.purges)
    if (phase !== 'done') jobs.set(agent, { removed: 0, entries: null });
  const purged = new Subject<string>();

  const end = (agent: string, { removed }: Job) => {
    jobs.delete(agent);
    forget(agent);
    emit({ type: 'store_agent_purged', agent, records: removed });
    purged.next(agent);
  };
  const empty = (agent: string, job: Job, entries: readonly number[]): Observable<boolean> =>
    transactions
      .run((transaction) => removeSome(transaction, agent, entries))
      .pipe(
        map((step) => {
          job.removed += step.removed;
          job.entries = entries.slice(step.entries);
          if (step.isDone) end(agent, job);
          return jobs.size > 0;
        }),
      );
  const step = (): Observable<boolean> =>
    defer(() => {
      const [next] = jobs;
      if (next === undefined) return of(false);
      const [agent, job] = next;
      if (durable.purges.get(agent)?.phase === 'marked')
        return transactions
          .run((transaction) => closeEpochs(transaction, agent, options.heardOf))
          .pipe(map(() => true));
      return job.entries === null
        ? findEntries(options, agent).pipe(switchMap((entries) => empty(agent, job, entries)))
        : empty(agent, job, job.entries);
    });
  return {
    step,
    isRunning: (agent) => jobs.has(agent),
    of: (agent) => {
      const record = durable.purges.get(agent);
      if (record === undefined) return null;
      if (record.phase === 'done' && !jobs.has(agent))
        return durable.agents.has(agent) ? null : purgeOf(record);
      return jobs.has(agent) ? { ...purgeOf(record), isDone: false } : null;
    },
    mark: (agent, ts) =>
      transactions
        .run((transaction) => markPurge(transaction, agent, ts))
        .pipe(
          map((record) => (record === null ? null : purgeOf(record))),
          tap((purge) => {
            if (purge !== null && !jobs.has(agent)) jobs.set(agent, { removed: 0, entries: null });
          }),
        ),
    purged$: purged.asObservable(),
    close: () => purged.complete(),
  };
}

const purgeOf = ({ ts, phase, counts }: PurgeRecord): Purge => ({ ts, counts, isDone: phase === 'done' });

function markPurge(transaction: Transaction, agent: string, ts: number): PurgeRecord | null {
  const record = transaction.agent(agent);
  if (record === undefined) return null;
  const before = transaction.purge(agent);
  if (before !== undefined && before.phase !== 'done') return before;
  const states = transaction.epochs(agent).flatMap((epoch) => transaction.epoch(agent, epoch) ?? []);
  const purge = { ts, phase: 'marked' as const, counts: countsOf(states) };
  const retiredTs = record.retiredTs ?? ts;
  transaction.setAgent(agent, { ...record, retiredTs, paused: undefined, rhythm: undefined });
  transaction.setPurge(agent, purge);
  return purge;
}

/** Numbers of its entries of the log. None is added any more. */
function findEntries(
  { storage, clock, backpressure }: PurgesOptions,
  agent: string,
): Observable<readonly number[]> {
  const find = function* (): Generator<void, readonly number[]> {
    const found: number[] = [];
    const range = kindRange('J');
    for (let { from } = range; ; ) {
      const query = { ...range, from, limit: SCAN_ENTRIES };
      const { entries, next } = storage.read((reader) => readPage(reader, query));
      for (const { key, value } of entries) if (agentOfEntry(value) === agent) found.push(parseEntryKey(key));
      if (next === null) return found;
      from = next;
      yield;
    }
  };
  return sliced(find, clock, backpressure.pauseMs);
}
