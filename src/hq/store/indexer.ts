/**
 * Reads what was stored for anomalies and for the times of each schema: in short slices behind the acks, in turns the
 * newest frames, so that a backlog delays no fresh anomaly, and the oldest, so that they have their turn however much
 * comes. What is found is kept by findings-keeper.ts.
 */
import { auditTime, defer, map, type Observable, switchMap } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { type Coverage, covers, missingWithin } from '../../protocol/coverage.ts';
import { decodeData, readHeader } from '../../protocol/frame-codec.ts';
import type { SchemaRef } from '../../protocol/sample.ts';
import type { Reader, Storage } from '../../storage/storage.ts';
import { background } from './background.ts';
import type { Backpressure } from './backpressure.ts';
import { isAhead } from './clock-ahead.ts';
import { type ClockTrust, cutoffOf } from './clock-trust.ts';
import { anomalyDocument, isReadable } from './documents.ts';
import { type IndexState, widen } from './episodes.ts';
import {
  createFindingsKeeper,
  emptyFinding,
  type Finding,
  type FindingsKeeper,
  type FindingsKeeperOptions,
} from './findings-keeper.ts';
import { decodeFrameRecord, type FrameRecord } from './frame-record.ts';
import { type Spans, widenByFrame, widenByGroups } from './frame-times.ts';
import { entryRange, orderKey, parseEntryKey, parseOrderKey, parseSeqKey } from './keys.ts';
import { type LogEntry, readLogEntry } from './log-entry.ts';
import type { QueryContext } from './query-context.ts';
import type { Retention } from './retention.ts';
import { sliced } from './sliced.ts';
import { segmentOf } from './time-index.ts';
import type { Transactions } from './transactions.ts';

/** Frames of one pass. With the rest between passes it bounds the frames a second. */
const PASS_FRAMES = 1024;
/** Reports of anomalies after which a pass ends. */
const PASS_REPORTS = 2_048;
/** Anomalies that are read before others may have their turn. */
const NOTES_A_STEP = 64;
/** Entries of one read: each snapshot of the storage costs as much as several of them. */
const ENTRIES_PER_READ = 16;
/** Rest between passes while there is more to do: leaves most of the processor to ingest. */
const REST_MS = 40;
const WAKE_MS = 200;
const IDLE_MS = 1_000;

export type Indexer = {
  readonly state: (agent: string) => IndexState;
  /** First and last time of each schema, what was just appended among them. Emits nothing; returns them. */
  readonly spansNow: (agent: string) => Generator<void, ReadonlyMap<SchemaRef, readonly [number, number]>>;
  /** All of the agent has been removed. */
  readonly forget: (agent: string) => void;
  /** Every entry of the log up to here has been read, and a start knows it. */
  readonly readTo: () => number;
  /** What the episodes take beyond their share of the store, roughly, bytes. */
  readonly excessBytes: () => number;
  /** Saves what was found; for the end. */
  readonly settle: () => Observable<never>;
  /** Agents about which more was found than that time goes on. */
  readonly indexed$: Observable<string>;
  /** Does the work while subscribed; never emits. */
  readonly work$: Observable<never>;
};

export type IndexerOptions = {
  readonly storage: Storage;
  readonly transactions: Transactions;
  readonly context: QueryContext;
  readonly clock: Clock;
  readonly backpressure: Backpressure;
  /** Emits when something was appended. */
  readonly appended$: Observable<unknown>;
  readonly onError: (error: unknown) => void;
  /** Reports of anomalies that one commit has taken. */
  readonly onReports: (count: number) => void;
  /** Episodes were removed. */
  readonly onRemoved: FindingsKeeperOptions['onRemoved'];
  /** Episodes that one agent may have. */
  readonly maxEpisodes: number;
  readonly retention: Retention;
  readonly trust: ClockTrust;
};

export function createIndexer(options: IndexerOptions): Indexer {
  const { storage, context, clock, backpressure } = options;
  const { scheduler } = clock;
  const { retention, trust } = options;
  const findings = createFindingsKeeper({ ...options, maxBytes: retention.maxBytes });
  let turn: 'newest' | 'oldest' = 'newest';

  /** Emits whether there is more. */
  const upkeep = (): Observable<boolean> =>
    findings
      .save()
      .pipe(
        switchMap((more) =>
          findings.sweep(cutoffOf(retention, clock, trust)).pipe(map((rest) => more || rest)),
        ),
      );

  /** One pass; emits whether there is more to do. */
  const pass = (): Observable<boolean> =>
    defer(() => {
      const todo = nextRange(options.transactions.lastNumber(), findings.done(), turn);
      if (todo === null) return upkeep();
      turn = turn === 'newest' ? 'oldest' : 'newest';
      const found = new Map<string, Finding>();
      const since = findings.forgotten();
      return sliced(() => read(todo, found), clock, backpressure.pauseMs).pipe(
        switchMap((to) => findings.note([todo[0], to], found, since)),
        switchMap(upkeep),
        map(() => true),
      );
    });

  /** Returns how many reports of anomalies it has found. */
  function* examineEntry(
    entry: Pick<LogEntry, 'agent' | 'record'> | undefined,
    found: Map<string, Finding>,
  ): Generator<void, number> {
    if (entry === undefined) return 0;
    const { agent, record } = entry;
    const finding = found.get(agent) ?? emptyFinding();
    found.set(agent, finding);
    const before = finding.reports.length;
    try {
      yield* examine(context, agent, record, finding);
    } catch (error) {
      const { epoch, firstSeq } = readHeader(record.frame);
      context.onBadFrame(agent, epoch, firstSeq, error);
    }
    return finding.reports.length - before;
  }

  /** Returns the last entry that was read: behind it there may be more. */
  function* read(
    [from, to]: readonly [number, number],
    found: Map<string, Finding>,
  ): Generator<void, number> {
    let reports = 0;
    const places = storage.read((reader) => entriesBetween(reader, from, to));
    for (let at = 0; at < places.length; at += ENTRIES_PER_READ) {
      const some = places.slice(at, at + ENTRIES_PER_READ);
      const entries = storage.read((reader) => some.map((place) => readEntry(reader, place)));
      for (const [index, entry] of entries.entries()) {
        reports += yield* examineEntry(entry, found);
        if (reports >= PASS_REPORTS) return some[index]?.number ?? to;
        yield;
      }
    }
    return places.length < PASS_FRAMES ? to : (places.at(-1)?.number ?? to);
  }

  const work$ = background({
    pass,
    wake$: options.appended$.pipe(auditTime(WAKE_MS, scheduler)),
    restMs: REST_MS,
    yields: backpressure.high,
    idleMs: IDLE_MS,
    scheduler,
    onError: options.onError,
  });

  const { state, forget, done, savedTo, settle, indexed$, excessBytes } = findings;
  const spansNow = (agent: string) => readSpans({ storage, context }, { state, done }, agent);
  return { state, forget, spansNow, readTo: savedTo, settle, indexed$, excessBytes, work$ };
}

/** What has not been read yet is read for it: a sample that was acknowledged counts. */
function* readSpans(
  { storage, context }: Pick<IndexerOptions, 'storage' | 'context'>,
  { state, done }: Pick<FindingsKeeper, 'state' | 'done'>,
  agent: string,
): ReturnType<Indexer['spansNow']> {
  const read = done();
  const unread = context.tail(agent).filter(({ number }) => !covers(read, number, number));
  if (unread.length === 0) return state(agent).spans;
  const found: Spans = new Map();
  for (const { number, epoch, first } of unread) {
    const entry = storage.read((reader) => readLogEntry(reader, number));
    try {
      if (entry !== undefined) widenByFrame(found, entry.record, context.maxAheadMs);
    } catch (error) {
      context.onBadFrame(agent, epoch, first, error);
    }
    yield;
  }
  // Last: some may have been read, and may have left the log, meanwhile.
  for (const [ref, span] of state(agent).spans) widen(found, ref, span);
  return found;
}

type Place = { readonly number: number; readonly key: Uint8Array | null };

/**
 * Entries of the log with these numbers, as many as a pass takes. Directories of 0.1 have no log, but its frames in the
 * index by number: those that were not looked at come first. `key`: of the frame in the index.
 */
function entriesBetween(reader: Reader, from: number, to: number): readonly Place[] {
  const inLog = reader.keys({ ...entryRange(from, to + 1), limit: PASS_FRAMES }).map(parseEntryKey);
  const oldest = reader.keys({ ...entryRange(0), limit: 1 })[0];
  const end = oldest === undefined ? to + 1 : Math.min(to + 1, parseEntryKey(oldest));
  const range = { from: orderKey(from), to: orderKey(end), limit: PASS_FRAMES };
  const inIndex = from < end ? reader.keys(range) : [];
  return [
    ...inIndex.map((key) => ({ number: parseOrderKey(key), key: reader.get(key) ?? null })),
    ...inLog.map((number) => ({ number, key: null })),
  ].slice(0, PASS_FRAMES);
}

function readEntry(reader: Reader, { number, key }: Place): Pick<LogEntry, 'agent' | 'record'> | undefined {
  if (key === null) return readLogEntry(reader, number);
  const value = reader.get(key);
  const record = value === undefined ? undefined : decodeFrameRecord(value);
  return record === undefined ? undefined : { agent: parseSeqKey(key).agent, record };
}

/**
 * The newest log entries that were never looked at, if it is their turn and there are any, else the oldest; null when
 * all are done.
 */
function nextRange(
  highest: number,
  done: Coverage,
  turn: 'newest' | 'oldest',
): readonly [number, number] | null {
  const seen = done.ranges.at(-1)?.[1] ?? done.contiguous;
  if (turn === 'newest' && highest > seen) return [Math.max(seen + 1, highest - PASS_FRAMES + 1), highest];
  const hole = missingWithin(done, 1, highest)[0];
  return hole ?? null;
}

function* examine(
  context: QueryContext,
  agent: string,
  record: FrameRecord,
  finding: Finding,
): Generator<void, void> {
  const { maxAheadMs } = context;
  if (readHeader(record.frame).kind === 'thinned') {
    // Buckets have times and no anomalies.
    finding.hasAhead = widenByFrame(finding.spans, record, maxAheadMs) || finding.hasAhead;
    return;
  }
  const { groups } = decodeData(record.frame, { columns: () => 'none' });
  finding.hasAhead = widenByGroups(finding.spans, groups, { record, maxAheadMs }) || finding.hasAhead;
  for (const group of groups) {
    if (group.notes.length === 0) continue;
    const schema = context.schemas.get(agent, group.schemaRef);
    for (const { row, anomalies } of group.notes) {
      const segment = segmentOf(record, group.seqs[row] ?? 0);
      if (segment === undefined) continue;
      for (const anomaly of anomalies.filter(isReadable)) {
        const latest = Math.max(anomaly.startTs, anomaly.endTs ?? anomaly.startTs);
        finding.reports.push({
          anomaly: anomalyDocument(anomaly, schema),
          arrivalTs: segment.arrivalTs,
          isAhead: isAhead(latest, segment.arrivalTs, maxAheadMs),
        });
        if (finding.reports.length % NOTES_A_STEP === 0) yield;
      }
    }
  }
}
