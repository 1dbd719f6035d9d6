/**
 * HQ's store over any Storage.
 *
 * Invariants:
 * - a seq of an (agent, epoch) is accounted once: as stored, dropped or thinned; what comes again changes nothing;
 * - records, counters and coverage move in one transaction, and nothing is acked or shown before its flush;
 * - a commit that failed is unknown: coming again is safe whether it appeared or not (see transactions.ts);
 * - answers are read in slices of ~5 ms, four at once in turns; indexing, compaction and retention work behind,
 *   in slices and with rests.
 *
 * Layout on disk: keys.ts, frame-record.ts.
 * Bounds: retention by age and bytes; pages, buckets and episodes per answer.
 */
import { concat, defer, ignoreElements, map, merge, type Observable, of, Subject, tap } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { errorText } from '../../platform/error-text.ts';
import type { Ids } from '../../platform/ids.ts';
import { coveredCount, EMPTY_COVERAGE, missingWithin } from '../../protocol/coverage.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { Storage } from '../../storage/storage.ts';
import { atOnce } from '../at-once.ts';
import { accountLost, runOf } from './account-lost.ts';
import { countsOf } from './agent-counts.ts';
import { agentRegistry } from './agent-registry.ts';
import { appendFrame } from './append-frame.ts';
import { createBackpressure } from './backpressure.ts';
import { isAhead, MAX_AHEAD_MS } from './clock-ahead.ts';
import { createClockTrust } from './clock-trust.ts';
import { MAX_EPISODES } from './episode-retention.ts';
import { openCount, queryEpisodes } from './episodes.ts';
import type { EpochState } from './epoch-state.ts';
import { createEventStore, type EventStoreOptions } from './event-store.ts';
import { createHints } from './heard-of.ts';
import { appendDelivery, type WrittenDelivery } from './http-samples.ts';
import { createIndexer } from './indexer.ts';
import { createKeyCounts, MAX_KEYS } from './key-counts.ts';
import { loadView } from './load-view.ts';
import type { TailOf } from './log-entry.ts';
import { createLogKeeper } from './log-keeper.ts';
import { maintain } from './maintenance.ts';
import { createPurges } from './purges.ts';
import { queryArrivals } from './query-arrivals.ts';
import { queryBuckets } from './query-buckets.ts';
import type { QueryContext } from './query-context.ts';
import { queryCustody } from './query-custody.ts';
import { queryLedger } from './query-ledger.ts';
import { querySamples } from './query-samples.ts';
import type { Rebuild } from './rebuild-parts.ts';
import { recountStore, watchDamage } from './recount.ts';
import { newestArrival } from './retention.ts';
import { forgetRollups } from './rollup-reset.ts';
import { createRollups, rollupSource } from './rollups.ts';
import { createSchemaCatalogue } from './schema-catalogue.ts';
import { seriesDocuments } from './series-documents.ts';
import type { Appended, HqStore, IngestFrame, IngestItem, ItemOutcome, NumbersOfAgent } from './store.ts';
import type { StoreEmit } from './store-events.ts';
import { createTakeBack } from './take-back.ts';
import { createTransactions, type Transaction } from './transactions.ts';
import { createTurns } from './turns.ts';
import { heldOf } from './view.ts';

export type HqStoreOptions = {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Samples that arrived longer ago are removed, ms. Default 30 days. */
  readonly maxAgeMs?: number;
  /** The oldest samples are removed when the store holds more bytes. Default: no bound. */
  readonly maxBytes?: number;
  /**
   * The oldest samples of an agent are removed when its samples take more bytes. 0, the default: a quarter of
   * `maxBytes`, and only while the store holds more than those.
   */
  readonly maxBytesPerAgent?: number;
  /** Anomaly episodes that one agent may have; beyond it its oldest go. Default 20,000. */
  readonly maxEpisodes?: number;
  /** Idempotency keys of one agent that are remembered at once; one more is refused. Default 1,000,000. */
  readonly maxKeys?: number;
  /** How long events of agents are kept, and how many of each. */
  readonly eventLimits?: EventStoreOptions['limits'];
  /** How long an idempotency key is remembered, ms. Default 24 h. */
  readonly dedupTtlMs?: number;
  /** Samples further ahead of HQ's clock are kept, marked, and not taken for the latest, ms. Default 24 h. */
  readonly maxAheadMs?: number;
  /** What is made again of frames and log before the store is used. Default: nothing. */
  readonly rebuild?: readonly Rebuild[];
  /** How long rollups by 10 s, 1 min, 1 h and 1 day are kept, ms. Default 7, 30 and 400 days, and for ever. */
  readonly rollupKeepMs?: readonly number[];
  /** Frames that may wait in the log for the rollups, all agents together. Default a million. */
  readonly maxRollupLag?: number;
  readonly emit?: StoreEmit;
};

const DAY_MS = 86_400_000;
export const STORE_DEFAULTS = {
  maxAgeMs: 30 * DAY_MS,
  maxBytes: Number.POSITIVE_INFINITY,
  dedupTtlMs: DAY_MS,
} as const;

/**
 * Emits the store once it may be used. `close` of the store ends its work and closes the storage. Where damage was met,
 * or it is asked for, all is counted again first.
 */
export function openHqStore(options: HqStoreOptions): Observable<HqStore> {
  return openParts(options).pipe(map((parts) => createHqStore(options, parts)));
}

function openParts(options: HqStoreOptions): Observable<Parts> {
  return defer(() => {
    const { storage, clock, emit = () => {}, maxAheadMs = MAX_AHEAD_MS, rebuild = [] } = options;
    if (rebuild.includes('rollups')) {
      const others = rebuild.filter((part) => part !== 'rollups');
      return concat(forgetRollups(storage), openParts({ ...options, rebuild: others }));
    }
    const damage = watchDamage(storage, options.rebuild);
    const parts = damage.met() === null ? createParts(options) : null;
    const reason = damage.end();
    if (reason === null && parts !== null) return of(parts);
    emit({ type: 'store_recount_begun', reason: reason ?? '' });
    return concat(
      recountStore({ storage, clock, maxAheadMs, emit }),
      defer(() => of(createParts(options))),
    );
  });
}

function createHqStore(options: HqStoreOptions, parts: Parts): HqStore {
  const { storage, hints, indexer, keeper, purges, appended } = parts;

  const work = merge(
    indexer.work$,
    parts.upkeep$,
    parts.rollups.keeper.work$,
    parts.takeBack.watch$,
  ).subscribe();
  return {
    ...writes(parts, options),
    ...epochReads(parts),
    ...agentRegistry(parts),
    ...queries(parts),
    ...numbers(parts),
    ...schemaReads(parts),
    ...parts.events.roles,
    observeSampled: hints.raise,
    appended$: appended.asObservable(),
    indexed$: indexer.indexed$,
    takenBack$: parts.takeBack.takenBack$,
    close: () =>
      defer(() => {
        work.unsubscribe();
        return concat(
          keeper.settle(),
          indexer.settle(),
          storage.close(),
          defer(() => {
            appended.complete();
            purges.close();
            return of(null);
          }).pipe(ignoreElements()),
        );
      }),
  };
}

type Parts = ReturnType<typeof createParts>;

function createParts(options: HqStoreOptions) {
  const { storage, clock, emit = () => {} } = options;
  const { maxAgeMs = STORE_DEFAULTS.maxAgeMs, maxBytes = STORE_DEFAULTS.maxBytes } = options;
  const schemas = createSchemaCatalogue(storage);
  const hints = createHints();
  const transactions = createTransactions(storage, loadView, hints.of);
  const backpressure = createBackpressure(clock);
  const appended = new Subject<Appended>();
  const tail: TailOf = (agent) => transactions.durable.tails.get(agent) ?? [];
  const takeBack = createTakeBack({ storage, transactions, clock, pauseMs: backpressure.pauseMs, emit });
  const context: QueryContext = {
    storage,
    tail,
    schemas,
    rollups: rollupSource(storage, transactions, (resolution) => rollups.keptFrom(resolution)),
    maxAheadMs: options.maxAheadMs ?? MAX_AHEAD_MS,
    onBadFrame: (agent, epoch, seq, error) => {
      emit({ type: 'store_frame_unreadable', agent, epoch, seq, error: errorText(error) });
      takeBack.note(agent, epoch, seq, error);
    },
  };
  const trust = createClockTrust(clock, newestArrival(storage), (aheadMs) =>
    emit({ type: 'store_clock_leapt', aheadMs }),
  );
  const retention = { maxAgeMs, maxBytes, maxBytesPerAgent: options.maxBytesPerAgent ?? 0 };
  const common = {
    storage,
    transactions,
    context,
    clock,
    trust,
    retention,
    backpressure,
    takeBack,
    appended$: appended,
  };
  const indexer = createIndexer({
    ...common,
    onError: (error) => emit({ type: 'store_background_failed', task: 'index', error: errorText(error) }),
    onReports: (anomalies) => emit({ type: 'store_anomalies_indexed', anomalies }),
    onRemoved: (removed) => emit({ type: 'store_anomalies_removed', ...removed }),
    maxEpisodes: options.maxEpisodes ?? MAX_EPISODES,
  });
  const rollups = createRollups({ ...common, ...options, emit });
  const { excessBytes: uncountedBytes } = indexer;
  const readTo = () => Math.min(indexer.readTo(), rollups.keeper.rolledTo());
  const keyCounts = createKeyCounts({ storage, maxBytes, maxKeys: options.maxKeys ?? MAX_KEYS });
  const keeper = createLogKeeper({ ...common, readTo, emit });
  const purges = createPurges({
    ...common,
    heardOf: hints.of,
    forget: (agent) => {
      for (const keeper of [schemas, hints, indexer, keyCounts]) keeper.forget(agent);
    },
    emit,
  });
  const events = createEventStore({ ...common, limits: options.eventLimits, emit });
  const behind = { keeper, purges, rollups, readTo, uncountedBytes, keyCounts, sweepEvents: events.sweep };
  const upkeep$ = maintain({ ...common, ...behind, emit });
  const epochOf = (agent: string, epoch: Epoch) => heldOf(transactions.durable, agent, epoch);
  return {
    ...common,
    purges,
    turns: createTurns(clock),
    schemas,
    keyCounts,
    hints,
    appended,
    indexer,
    keeper,
    events,
    rollups,
    upkeep$,
    epochOf,
  };
}

/** What one item of an append has written. */
type Written = Omit<WrittenDelivery, 'outcome'> & { readonly outcome: ItemOutcome };

function writeFrame(transaction: Transaction, frame: IngestFrame): Written {
  const outcome = appendFrame(transaction, frame);
  return { outcome, appended: [{ frame, outcome }], schemas: [], keys: [] };
}

function writes(parts: Parts, { ids, dedupTtlMs = STORE_DEFAULTS.dedupTtlMs }: HqStoreOptions) {
  const { transactions, schemas, appended, backpressure, keyCounts } = parts;
  const newEpoch = () => ids.hex(6);
  const deliveryOptions = { catalogue: schemas, keyCounts, ttlMs: dedupTtlMs, newEpoch };
  const write = (transaction: Transaction, item: IngestItem): Written =>
    'parts' in item ? appendDelivery(transaction, item, deliveryOptions) : writeFrame(transaction, item);
  return {
    append: (items) =>
      transactions
        .run((transaction) => items.map((item) => write(transaction, item)))
        .pipe(
          tap((all) => {
            for (const written of all) {
              for (const { agent, schema } of written.schemas) schemas.learn(agent, schema);
              keyCounts.added(written.keys);
              for (const one of written.appended) appended.next(one);
            }
          }),
          map((all) => all.map(({ outcome }) => outcome)),
          backpressure.counted(),
        ),
    noteEpoch: (note) => defer(() => noteEpoch(parts, note)),
    putSchema: (agent, schema) =>
      defer(() =>
        schemas.get(agent, schema.ref) !== undefined
          ? of(undefined)
          : transactions
              .run((transaction) => schemas.write(transaction, agent, schema))
              .pipe(tap(() => schemas.learn(agent, schema))),
      ),
  } satisfies Partial<HqStore>;
}

function noteEpoch(
  { transactions, epochOf, hints }: Parts,
  note: Parameters<HqStore['noteEpoch']>[0],
): ReturnType<HqStore['noteEpoch']> {
  const { agent, epoch } = note;
  const known = epochOf(agent, epoch);
  const before = known?.coverage ?? EMPTY_COVERAGE;
  const nothingLost = missingWithin(before, 1, note.released).length === 0;
  const sameRun = known !== undefined && runOf(known, note) === known.run;
  // Else a restart would forget what an agent said that never came back.
  const nothingNew = known !== undefined && known.sampled >= note.sampled;
  const record = transactions.durable.agents.get(agent);
  const isCurrent = record?.epoch === epoch && record.retiredTs === undefined;
  if (sameRun && nothingLost && nothingNew && isCurrent) return of({ coverage: before, lost: 0 });
  return (
    transactions
      .run((transaction) => accountLost(transaction, note))
      // Not before: who is told of more than the run that it knows has sampled takes the next one for a copy.
      .pipe(
        tap(() => hints.raise(agent, epoch, note.sampled)),
        map((coverage) => ({ coverage, lost: coveredCount(coverage) - coveredCount(before) })),
      )
  );
}

function epochReads({ transactions, hints, epochOf }: Parts) {
  return {
    epoch: (agent, epoch) =>
      atOnce(() => {
        const known = epochOf(agent, epoch);
        if (known === undefined) return null;
        const { coverage, owned, run } = known;
        return { coverage, owned, run, sampled: Math.max(known.sampled, hints.of(agent, epoch)) };
      }),
    holderOf: (epoch) => atOnce(() => transactions.durable.holders.get(epoch) ?? null),
  } satisfies Partial<HqStore>;
}

/** The epochs of agents with all that was heard of them. */
function shownEpochs({ transactions, hints, epochOf }: Pick<Parts, 'transactions' | 'hints' | 'epochOf'>) {
  const epochs = (agent: string) => [...(transactions.durable.epochs.get(agent)?.keys() ?? [])];
  const state = (agent: string, epoch: Epoch): EpochState | undefined => {
    const known = epochOf(agent, epoch);
    const sampled = hints.of(agent, epoch);
    return known !== undefined && sampled > known.sampled ? { ...known, sampled } : known;
  };
  return { epochs, state };
}

function queries({ storage, context, indexer, turns, clock, ...parts }: Parts) {
  const source = { storage, tail: context.tail, ...shownEpochs(parts) };
  return {
    ledger: (agent) => turns.run(() => queryLedger(source, agent)),
    samples: (query) => turns.run(() => querySamples(context, query)),
    buckets: (query) => turns.run(() => queryBuckets(context, query)),
    arrivals: (query) => turns.run(() => queryArrivals(context, query)),
    custody: (query) => turns.run(() => queryCustody({ context, ledger: source }, query, clock.now())),
    anomalies: (query) => turns.run(() => queryEpisodes(storage, indexer.state(query.agent), query)),
  } satisfies Partial<HqStore>;
}

function schemaReads({ schemas, indexer, turns }: Parts) {
  return {
    schemas: (agent) =>
      atOnce(() =>
        [...schemas.all(agent).values()].map(({ ref, series }) => ({ ref, series: series.length })),
      ),
    lacks: (agent, refs) => atOnce(() => refs.filter((ref) => schemas.get(agent, ref) === undefined)),
    schema: (agent, ref) => atOnce(() => schemas.get(agent, ref) ?? null),
    series: (agent) =>
      turns.run(function* () {
        return yield* seriesDocuments(schemas, agent, yield* indexer.spansNow(agent));
      }),
    seriesKeys: (agent) => atOnce(() => schemas.sourceKeys(agent)),
  } satisfies Partial<HqStore>;
}

function numbers({ schemas, indexer, context, ...parts }: Parts) {
  const { epochs, state } = shownEpochs(parts);
  const numbersOf = (agent: string): NumbersOfAgent => {
    const index = indexer.state(agent);
    return {
      counts: countsOf(epochs(agent).flatMap((epoch) => state(agent, epoch) ?? [])),
      anomalies: { open: openCount(index), total: index.anomalies },
      seriesCount: schemas.seriesCount(agent),
    };
  };
  const lastOf = (agent: string): number | null => {
    let latest: number | null = null;
    for (const [, lastTs] of indexer.state(agent).spans.values()) latest = Math.max(latest ?? lastTs, lastTs);
    // What has just come, or came before a start, may not have been read yet.
    for (const { tsMax, arrivalTs } of context.tail(agent))
      if (!isAhead(tsMax, arrivalTs, context.maxAheadMs)) latest = Math.max(latest ?? tsMax, tsMax);
    return latest;
  };
  return {
    numbers: (agents) => atOnce(() => agents.map(numbersOf)),
    lastSampleTs: (agents) => atOnce(() => agents.map(lastOf)),
  } satisfies Partial<HqStore>;
}
