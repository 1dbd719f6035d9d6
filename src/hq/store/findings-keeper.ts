/**
 * Keeps what the indexer has found: anomalies at once, times of series and how far it has read in memory, saved now and
 * then. Which entries of the log are done is a coverage. What was not saved is found again after a restart; noting an
 * entry twice changes nothing.
 */
import {
  catchError,
  concat,
  defer,
  EMPTY,
  ignoreElements,
  last,
  map,
  type Observable,
  of,
  Subject,
  switchMap,
  takeUntil,
  tap,
  timer,
} from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { type Coverage, cover, coverageSchema, EMPTY_COVERAGE } from '../../protocol/coverage.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Backpressure } from './backpressure.ts';
import { createEpisodeSweep, type EpisodeRemoval, type EpisodeSweep } from './episode-retention.ts';
import {
  copyIndexState,
  encodeIndexState,
  type IndexState,
  type Report,
  readIndexState,
  removeEpisodes,
  widen,
  writeReport,
} from './episodes.ts';
import { parseJson, toJson } from './epoch-state.ts';
import { consumerKey, indexKey } from './keys.ts';
import { isRunning } from './purge-record.ts';
import type { Transaction, Transactions } from './transactions.ts';

const CONSUMER = 'indexer';
/** Reports of one transaction: commits of frames wait for it. */
const COMMIT_REPORTS = 256;
/** States are saved this often, ms, or when so many more entries were read than a start would know. */
const SAVE_AFTER_MS = 30_000;
const SAVE_AFTER_ENTRIES = 65_536;
const STATES_PER_SAVE = 64;
/** Longest work before the store is closed, ms. */
const SETTLE_MS = 5_000;

export type Finding = {
  readonly reports: Report[];
  readonly spans: Map<string, readonly [number, number]>;
  /** A frame has samples that are ahead of HQ's clock: the latest of the others is known from here only. */
  hasAhead: boolean;
};
export const emptyFinding = (): Finding => ({ reports: [], spans: new Map(), hasAhead: false });
type Findings = ReadonlyMap<string, Finding>;
type AgentReport = { readonly agent: string; readonly report: Report };

export type FindingsKeeper = {
  readonly state: (agent: string) => IndexState;
  /** Entries of the log that have been read. */
  readonly done: () => Coverage;
  /** Every entry up to here has been read, and a start knows it. */
  readonly savedTo: () => number;
  /** How often an agent was forgotten. */
  readonly forgotten: () => number;
  /**
   * What was found in the entries `todo` since `forgotten` was `since`. Emits once when it is noted, anomalies durably;
   * where an agent was forgotten meanwhile they are to be read again.
   */
  readonly note: (todo: readonly [number, number], findings: Findings, since: number) => Observable<unknown>;
  /** All of the agent has been removed. */
  readonly forget: (agent: string) => void;
  /** Saves some where it is time; emits whether there is more. */
  readonly save: () => Observable<boolean>;
  /** Removes some episodes that must go; emits whether there may be more. `cutoff`: see `EpisodeSweep`. */
  readonly sweep: (cutoff: number) => Observable<boolean>;
  /** What episodes take beyond their share of the store, roughly, bytes. */
  readonly excessBytes: () => number;
  /** Saves all, as far as it can; for the end. What is left is found again. */
  readonly settle: () => Observable<never>;
  /** Agents about which more was found than that time goes on. */
  readonly indexed$: Observable<string>;
};

export type FindingsKeeperOptions = {
  readonly storage: Storage;
  readonly transactions: Transactions;
  readonly context: { readonly maxAheadMs: number };
  readonly clock: Clock;
  readonly backpressure: Backpressure;
  /** Reports of anomalies that one commit has taken. */
  readonly onReports: (count: number) => void;
  /** Episodes were removed. */
  readonly onRemoved: (removed: {
    readonly anomalies: number;
    readonly reason: EpisodeRemoval['reason'];
  }) => void;
  /** Episodes that one agent may have. */
  readonly maxEpisodes: number;
  /** Bound of the whole store, bytes. */
  readonly maxBytes: number;
};

export function createFindingsKeeper(options: FindingsKeeperOptions): FindingsKeeper {
  const { storage, context, clock } = options;
  const states = new Map<string, IndexState>();
  const state = (agent: string): IndexState => {
    const known = states.get(agent);
    if (known !== undefined) return known;
    const read = readIndexState(storage, agent, clock.now() + context.maxAheadMs);
    states.set(agent, read);
    return read;
  };
  const done = readDone(storage);
  const kept: Kept = {
    states,
    state,
    episodes: createEpisodeSweep({ ...options, state }),
    unsaved: new Set(),
    indexed: new Subject(),
    done,
    savedTo: done.contiguous,
    savedAt: clock.precise(),
    forgotten: 0,
  };
  const isDue = () =>
    kept.done.contiguous > kept.savedTo &&
    (clock.precise() - kept.savedAt >= SAVE_AFTER_MS ||
      kept.done.contiguous - kept.savedTo >= SAVE_AFTER_ENTRIES);
  const saveAll = (): Observable<unknown> =>
    saveSome(options, kept).pipe(switchMap((more) => (more ? saveAll() : of(null))));
  return {
    state,
    done: () => kept.done,
    savedTo: () => kept.savedTo,
    indexed$: kept.indexed.asObservable(),
    forgotten: () => kept.forgotten,
    note: (todo, findings, since) =>
      commitAll(options, findings, (reports) => commitReports(options, kept, { reports, since })).pipe(
        tap(() => {
          if (kept.forgotten === since) noteTimes(options, kept, todo, findings);
        }),
      ),
    sweep: (cutoff) => defer(() => sweepEpisodes(options, kept, cutoff)),
    excessBytes: () => kept.episodes.excessBytes(),
    forget: (agent) => {
      kept.forgotten += 1;
      states.delete(agent);
      kept.unsaved.delete(agent);
      kept.episodes.noted(agent, 0);
    },
    save: () => defer(() => (isDue() ? saveSome(options, kept) : of(false))),
    settle: () =>
      defer(() => (kept.done.contiguous > kept.savedTo ? saveAll() : EMPTY)).pipe(
        ignoreElements(),
        takeUntil(timer(SETTLE_MS, clock.scheduler)),
        catchError(() => EMPTY),
      ),
  };
}

/** What is known, and how much of it a start would know. */
type Kept = {
  readonly states: Map<string, IndexState>;
  readonly state: (agent: string) => IndexState;
  readonly unsaved: Set<string>;
  readonly indexed: Subject<string>;
  readonly episodes: EpisodeSweep;
  done: Coverage;
  savedTo: number;
  savedAt: number;
  forgotten: number;
};

function noteTimes(
  { transactions }: FindingsKeeperOptions,
  kept: Kept,
  [from, to]: readonly [number, number],
  findings: Findings,
): void {
  for (const [agent, { spans, hasAhead }] of findings) {
    if (isRunning(transactions.durable.purges.get(agent))) continue;
    const state = kept.state(agent);
    const known = state.spans.size;
    for (const [ref, span] of spans) widen(state.spans, ref, span);
    kept.unsaved.add(agent);
    if (hasAhead || state.spans.size > known) kept.indexed.next(agent);
  }
  kept.done = cover(kept.done, from, to);
}

/** Nothing is written of an agent that is being removed for good, or is gone. */
const isThere = (transaction: Transaction, agent: string): boolean =>
  !isRunning(transaction.purge(agent)) && transaction.agent(agent) !== undefined;

const putState = ({ writer }: Transaction, agent: string, state: IndexState) =>
  writer.put(indexKey(agent), encodeIndexState(state));

function commitReports(
  { transactions, onReports }: FindingsKeeperOptions,
  kept: Kept,
  { reports, since }: { readonly reports: readonly AgentReport[]; readonly since: number },
): Observable<unknown> {
  return transactions
    .run((transaction) => {
      const changed = new Map<string, IndexState>();
      if (kept.forgotten !== since) return changed;
      for (const { agent, report } of reports) {
        if (!isThere(transaction, agent)) continue;
        const next = changed.get(agent) ?? copyIndexState(kept.state(agent));
        changed.set(agent, next);
        writeReport(transaction, agent, next, report);
      }
      for (const [agent, next] of changed) putState(transaction, agent, next);
      return changed;
    })
    .pipe(
      tap((changed) => {
        onReports(reports.length);
        for (const [agent, next] of changed) replaceState(kept, agent, next);
      }),
    );
}

/** With one that has been saved. */
function replaceState(kept: Kept, agent: string, state: IndexState): void {
  kept.states.set(agent, state);
  kept.unsaved.delete(agent);
  kept.episodes.noted(agent, state.anomalies);
  kept.indexed.next(agent);
}

function sweepEpisodes(
  { transactions, onRemoved }: FindingsKeeperOptions,
  kept: Kept,
  cutoff: number,
): Observable<boolean> {
  const removal = kept.episodes.next(cutoff);
  if (removal === null) return of(false);
  const { agent, keys, reason } = removal;
  if (keys.length === 0) return of(true);
  return transactions
    .run((transaction) => {
      if (!isThere(transaction, agent)) return null;
      const next = copyIndexState(kept.state(agent));
      removeEpisodes(transaction, next, keys);
      putState(transaction, agent, next);
      return next;
    })
    .pipe(
      map((next) => {
        // They go with their agent.
        if (next === null) kept.episodes.noted(agent, 0);
        else {
          replaceState(kept, agent, next);
          onRemoved({ anomalies: keys.length, reason });
        }
        return true;
      }),
    );
}

/** Emits whether there is more; how far it has read is saved with the last of them. */
function saveSome({ transactions, clock }: FindingsKeeperOptions, kept: Kept): Observable<boolean> {
  return defer(() => {
    const some = [...kept.unsaved].slice(0, STATES_PER_SAVE);
    const isLast = some.length === kept.unsaved.size;
    const { done } = kept;
    return transactions
      .run((transaction) => {
        for (const agent of some) {
          if (isThere(transaction, agent)) putState(transaction, agent, kept.state(agent));
        }
        if (isLast) transaction.writer.put(consumerKey(CONSUMER), toJson(done));
      })
      .pipe(
        map(() => {
          for (const agent of some) kept.unsaved.delete(agent);
          if (isLast) {
            kept.savedTo = done.contiguous;
            kept.savedAt = clock.precise();
          }
          return !isLast;
        }),
      );
  });
}

/** Not too many at once, with a pause between two commits while others wait. */
function commitAll(
  { backpressure, clock }: FindingsKeeperOptions,
  findings: Findings,
  commit: (reports: readonly AgentReport[]) => Observable<unknown>,
): Observable<unknown> {
  const reports = [...findings].flatMap(([agent, found]) =>
    found.reports.map((report) => ({ agent, report })),
  );
  const commits: Observable<unknown>[] = [of(null)];
  for (let at = 0; at < reports.length; at += COMMIT_REPORTS) {
    if (at > 0) commits.push(defer(() => timer(backpressure.pauseMs(), clock.scheduler)));
    commits.push(commit(reports.slice(at, at + COMMIT_REPORTS)));
  }
  return concat(...commits).pipe(last());
}

function readDone(storage: Storage): Coverage {
  const parsed = coverageSchema.safeParse(
    parseJson(storage.read((reader) => reader.get(consumerKey(CONSUMER)))),
  );
  return parsed.success ? parsed.data : EMPTY_COVERAGE;
}
