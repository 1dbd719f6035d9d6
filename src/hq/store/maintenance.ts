/**
 * What the store does behind its users: compaction of small frames, retention, expiry of idempotency keys. One thing at
 * a time.
 */
import {
  catchError,
  concatMap,
  defer,
  EMPTY,
  from,
  ignoreElements,
  last,
  map,
  merge,
  type Observable,
  of,
  switchMap,
  tap,
} from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { errorText } from '../../platform/error-text.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { Storage } from '../../storage/storage.ts';
import { countBytes, createQuotaWatch, overQuota, type QuotaWatch, removeOldestOf } from './agent-quota.ts';
import { background } from './background.ts';
import type { Backpressure } from './backpressure.ts';
import { type ClockTrust, cutoffOf } from './clock-trust.ts';
import { type CompactionPlan, commitCompaction, planCompaction } from './compaction.ts';
import { SMALL_SAMPLES } from './frame-run.ts';
import { createGapBound, type GapBound } from './gap-bound.ts';
import { createGapSweep, type GapSweep } from './gap-retention.ts';
import type { KeyCounts } from './key-counts.ts';
import type { FiledFrame, LogKeeper } from './log-keeper.ts';
import type { Purges } from './purges.ts';
import type { QueryContext } from './query-context.ts';
import {
  hasExpiredKeys,
  type Retention,
  removeExpiredKeys,
  removeGaps,
  removeOldest,
  retentionReason,
} from './retention.ts';
import type { Rollups } from './rollups.ts';
import { sliced } from './sliced.ts';
import type { Appended } from './store.ts';
import type { StoreEmit } from './store-events.ts';
import type { TakeBack } from './take-back.ts';
import type { Transactions } from './transactions.ts';

const REST_MS = 50;
/** Looked at once a second: compaction must keep up with thousands of small frames a second. */
const COMPACTION_IDLE_MS = 1_000;
const SWEEP_IDLE_MS = 10_000;
/** An epoch is looked at for compaction after this many small frames. */
const FRAMES_BEFORE_COMPACTION = 64;
/** Epochs merged in one transaction. */
const EPOCHS_PER_PASS = 16;
/** The same while frames wait: their commit waits for this one. */
const EPOCHS_UNDER_BACKPRESSURE = 2;
/** Retention by size goes on until this share of the bound is used. */
const SIZE_TARGET = 0.95;

export type MaintenanceOptions = {
  readonly storage: Storage;
  readonly transactions: Transactions;
  readonly context: QueryContext;
  readonly clock: Clock;
  readonly backpressure: Backpressure;
  readonly retention: Retention;
  readonly trust: ClockTrust;
  /** Bytes of the store that do not count against samples. */
  readonly uncountedBytes: () => number;
  readonly keyCounts: KeyCounts;
  readonly appended$: Observable<Appended>;
  readonly keeper: LogKeeper;
  readonly purges: Pick<Purges, 'step' | 'isRunning' | 'purged$'>;
  readonly takeBack: Pick<TakeBack, 'next'>;
  readonly rollups: Rollups;
  /** Entries of the log up to this number have been read for anomalies. */
  readonly readTo: () => number;
  /** Removes some events of agents that must go; emits whether there may be more. */
  readonly sweepEvents: () => Observable<boolean>;
  readonly emit: StoreEmit;
};

type Candidate = {
  readonly agent: string;
  readonly epoch: Epoch;
  frames: number;
  lowest: number;
  /** Number in the arrival log that has to be read before it is looked at again; 0: none. */
  waitsFor: number;
};

/** Works while subscribed; never emits. */
export function maintain(options: MaintenanceOptions): Observable<never> {
  const { storage, transactions, clock, backpressure, emit, keeper } = options;
  const { scheduler } = clock;
  const onError = (task: string) => (error: unknown) =>
    emit({ type: 'store_background_failed', task, error: errorText(error) });
  return defer(() => {
    const candidates = candidatesOf(transactions);
    const gaps = createGapSweep(storage, clock);
    const bound = createGapBound(storage);
    const quotas = createQuotaWatch(clock, options.retention, (agent, quotaBytes) =>
      emit({ type: 'store_quota_exceeded', agent, quotaBytes }),
    );
    // All of them rewrite the same records, and each plans on what it reads: they share one background.
    const tasks: Readonly<Record<string, () => Observable<boolean>>> = {
      'taking back': () => options.takeBack.next(),
      filing: () => keeper.file({ arrivedBefore: cutoffOf(options.retention, clock, options.trust) }),
      'counting of bytes': () => countSome(options),
      'counting of keys': () => defer(() => of(options.keyCounts.count())),
      retention: () => sweep(options, quotas),
      'retention of gaps': () => sweepGaps(options, gaps),
      'bound of gaps': () => boundGaps(options, bound),
      'retention of events': options.sweepEvents,
      'retention of rollups': () => options.rollups.sweep(),
      compaction: () => compactSome(options, candidates),
      'saving of states': () => keeper.save(),
      'removal of agents': () => options.purges.step(),
    };
    /** One that fails keeps no other from its work: retention is what makes room on a disk that is full. */
    const attempt = ([name, task]: [string, () => Observable<boolean>]) =>
      defer(task).pipe(
        catchError((error: unknown) => {
          onError(name)(error);
          return of(false);
        }),
      );
    const pass = () =>
      from(Object.entries(tasks)).pipe(
        concatMap(attempt),
        // All always run; more of one asks for another round.
        tapMore(),
      );
    const broughtGaps$ = options.appended$.pipe(
      tap(({ frame, outcome }) => {
        if (outcome.dropped > 0) bound.added(frame.agent);
      }),
      ignoreElements(),
    );
    const watch$ = keeper.filed$.pipe(
      tap((filed) => noteSmall(candidates, filed)),
      ignoreElements(),
    );
    const forget$ = options.purges.purged$.pipe(
      tap((agent) => forgetAgent(candidates, agent)),
      ignoreElements(),
    );
    return merge(
      watch$,
      broughtGaps$,
      forget$,
      tellSizes(options, onError('size')),
      background({
        pass,
        wake$: EMPTY,
        restMs: REST_MS,
        yields: () => backpressure.high() && !keeper.isCrowded(),
        idleMs: COMPACTION_IDLE_MS,
        scheduler,
        onError: onError('maintenance'),
      }),
    );
  });
}

function tellSizes(
  { storage, clock, keeper, rollups, emit }: MaintenanceOptions,
  onError: (error: unknown) => void,
): Observable<never> {
  return background({
    pass: () =>
      defer(() => {
        emit({ type: 'store_size', bytes: storage.stats().usedBytes });
        emit({ type: 'store_log', ...keeper.waiting() });
        emit({ type: 'store_rollups', ...rollups.keeper.waiting() });
        return of(false);
      }),
    wake$: EMPTY,
    restMs: REST_MS,
    yields: () => false,
    idleMs: SWEEP_IDLE_MS,
    scheduler: clock.scheduler,
    onError,
  });
}

function tapMore() {
  return (source: Observable<boolean>): Observable<boolean> => {
    let more = false;
    return source.pipe(
      tap((one) => {
        more ||= one;
      }),
      last(),
      map(() => more),
    );
  };
}

type Candidates = {
  readonly byEpoch: Map<string, Candidate>;
  readonly ready: Set<Candidate>;
  readonly waiting: Set<Candidate>;
};

/** At start every epoch is looked at once. */
function candidatesOf({ durable }: Transactions): Candidates {
  const byEpoch = new Map<string, Candidate>();
  for (const [agent, epochs] of durable.epochs) {
    for (const [epoch, state] of epochs) {
      if (state.stored === 0) continue;
      byEpoch.set(`${agent}/${epoch}`, {
        agent,
        epoch,
        frames: FRAMES_BEFORE_COMPACTION,
        lowest: state.mergedTo + 1,
        waitsFor: 0,
      });
    }
  }
  return { byEpoch, ready: new Set(byEpoch.values()), waiting: new Set() };
}

function noteSmall({ byEpoch, ready }: Candidates, { agent, epoch, first, last }: FiledFrame): void {
  if (last - first >= SMALL_SAMPLES) return;
  const key = `${agent}/${epoch}`;
  let candidate = byEpoch.get(key);
  if (candidate === undefined) {
    candidate = { agent, epoch, frames: 0, lowest: first, waitsFor: 0 };
    byEpoch.set(key, candidate);
  }
  candidate.frames += 1;
  candidate.lowest = Math.min(candidate.lowest, first);
  if (candidate.frames >= FRAMES_BEFORE_COMPACTION) ready.add(candidate);
}

function forgetAgent({ byEpoch, ready, waiting }: Candidates, agent: string): void {
  for (const [key, candidate] of byEpoch) {
    if (candidate.agent !== agent) continue;
    byEpoch.delete(key);
    ready.delete(candidate);
    waiting.delete(candidate);
  }
}

function compactSome(options: MaintenanceOptions, { ready, waiting }: Candidates): Observable<boolean> {
  const { storage, transactions, context, clock, backpressure, emit } = options;
  return defer(() => {
    for (const candidate of waiting) {
      if (candidate.waitsFor > options.readTo()) continue;
      waiting.delete(candidate);
      ready.add(candidate);
    }
    const chosen = [...ready].slice(0, backpressure.high() ? EPOCHS_UNDER_BACKPRESSURE : EPOCHS_PER_PASS);
    if (chosen.length === 0) return of(false);
    for (const candidate of chosen) ready.delete(candidate);
    const plans = function* (): Generator<void, { candidate: Candidate; plan: CompactionPlan }[]> {
      const made: { candidate: Candidate; plan: CompactionPlan }[] = [];
      for (const candidate of chosen) {
        const { agent, epoch } = candidate;
        const mergedTo = transactions.durable.epochs.get(agent)?.get(epoch)?.mergedTo ?? 0;
        const plan = yield* planCompaction(storage, {
          agent,
          epoch,
          fromSeq: Math.min(mergedTo + 1, candidate.lowest),
          toLogNumber: options.readTo(),
          onBadRun: (seq, error) => context.onBadFrame(agent, epoch, seq, error),
        });
        // What could not be merged yet is looked at again when half as much has come.
        candidate.frames = plan.merges.length > 0 ? 0 : FRAMES_BEFORE_COMPACTION / 2;
        candidate.lowest = Math.max(plan.mergedTo + 1, mergedTo + 1);
        if (plan.more) ready.add(candidate);
        if (plan.waitsFor !== null && plan.merges.length === 0) {
          candidate.waitsFor = plan.waitsFor;
          waiting.add(candidate);
        }
        if (plan.merges.length > 0 || plan.mergedTo > mergedTo) made.push({ candidate, plan });
      }
      return made;
    };
    return sliced(plans, clock, backpressure.pauseMs).pipe(
      switchMap((made) => {
        if (made.length === 0) return of(null);
        return transactions
          .run((transaction) => {
            for (const { candidate, plan } of made)
              commitCompaction(transaction, candidate.agent, candidate.epoch, plan);
          })
          .pipe(
            tap(() => {
              const merges = made.flatMap(({ plan }) => plan.merges);
              const merged = merges.reduce((sum, { pieces }) => sum + pieces.length, 0);
              if (merged > 0) emit({ type: 'store_frames_compacted', merged, into: merges.length });
            }),
          );
      }),
      map(() => ready.size > 0),
    );
  });
}

function sweep(options: MaintenanceOptions, quotas: QuotaWatch): Observable<boolean> {
  const { storage, transactions, clock, retention, trust, purges, emit } = options;
  return defer(() => {
    const now = clock.now();
    const cutoff = cutoffOf(retention, clock, trust);
    const countedBytes = storage.stats().usedBytes - options.uncountedBytes();
    const isFull = countedBytes > retention.maxBytes;
    const excessBytes = isFull ? countedBytes - retention.maxBytes * SIZE_TARGET : 0;
    const { sizes } = transactions.durable;
    quotas.look(sizes);
    const over = overQuota(sizes, { ...retention, excessBytes });
    const reason = over !== null ? 'quota' : retentionReason(storage, { cutoff, now, isFull });
    const expired = trust.holds() && hasExpiredKeys(storage, now);
    if (reason === null && !expired) return of(false);
    return transactions
      .run((transaction) => {
        const keys = expired ? removeExpiredKeys(transaction, now) : [];
        if (over !== null) return { keys, removed: removeOldestOf(transaction, over) };
        const removed = reason === null ? null : removeOldest(transaction, { cutoff, now, excessBytes });
        return { keys, removed };
      })
      .pipe(
        map(({ keys, removed }) => {
          options.keyCounts.removed(keys);
          if (over !== null && (removed?.frames ?? 0) > 0 && !purges.isRunning(over.agent))
            quotas.removed(over.agent);
          if (reason !== null && removed !== null)
            emit({ type: 'store_retention_removed', ...removed, reason });
          return true;
        }),
      );
  });
}

/** One agent whose frames are not counted yet. */
function countSome({ storage, transactions, clock, backpressure }: MaintenanceOptions): Observable<boolean> {
  return defer(() => {
    const [agent] = [...transactions.durable.sizes].find(([, bytes]) => bytes === null) ?? [];
    if (agent === undefined) return of(false);
    return sliced(() => countBytes(storage, agent), clock, backpressure.pauseMs).pipe(
      switchMap((bytes) => transactions.run((transaction) => transaction.setBytes(agent, bytes))),
      map(() => true),
    );
  });
}

function sweepGaps(
  { storage, transactions, clock, retention, trust, emit }: MaintenanceOptions,
  gaps: GapSweep,
): Observable<boolean> {
  return defer(() => {
    const cutoff = cutoffOf(retention, clock, trust);
    const isFull = storage.stats().usedBytes > retention.maxBytes * SIZE_TARGET;
    const found = gaps.next({ cutoff, isFull });
    if (found === null) return of(false);
    const { keys, more } = found;
    if (keys.length === 0) return of(more);
    return transactions
      .run((transaction) => removeGaps(transaction, keys))
      .pipe(
        map(() => {
          emit({ type: 'store_gaps_removed', gaps: keys.length });
          return more;
        }),
      );
  });
}

function boundGaps(options: MaintenanceOptions, bound: GapBound): Observable<boolean> {
  const { transactions, clock, backpressure, emit } = options;
  return defer(() => {
    const agent = bound.due();
    if (agent === undefined) return of(false);
    return sliced(() => bound.excessOf(agent), clock, backpressure.pauseMs).pipe(
      switchMap((keys) => {
        if (keys.length === 0) return of(true);
        return transactions
          .run((transaction) => removeGaps(transaction, keys))
          .pipe(
            map(() => {
              emit({ type: 'store_gaps_removed', gaps: keys.length });
              return true;
            }),
          );
      }),
    );
  });
}
