/**
 * Reads what was stored for anomalies and for the times of each schema: in short slices behind the acks, in turns the
 * newest frames, so that a backlog delays no fresh anomaly, and the oldest, so that they have their turn however much
 * comes. Which entries of the arrival log are done is kept as a coverage and is committed together with what was found:
 * a restart goes on where it stopped, and doing an entry twice changes nothing.
 */
import {
  auditTime,
  concat,
  defer,
  last,
  map,
  type Observable,
  of,
  Subject,
  switchMap,
  tap,
  timer,
} from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import {
  type Coverage,
  cover,
  coverageSchema,
  EMPTY_COVERAGE,
  missingWithin,
} from '../../protocol/coverage.ts';
import { decodeData, decodeDownsampled, readHeader } from '../../protocol/frame-codec.ts';
import type { Reader, Storage } from '../../storage/storage.ts';
import { background } from './background.ts';
import type { Backpressure } from './backpressure.ts';
import { aheadIn, isAhead } from './clock-ahead.ts';
import { anomalyDocument, isReadable } from './documents.ts';
import {
  copyIndexState,
  encodeIndexState,
  type IndexState,
  type Report,
  readIndexState,
  writeReport,
} from './episodes.ts';
import { parseJson, toJson } from './epoch-state.ts';
import { decodeFrameRecord, type FrameRecord } from './frame-record.ts';
import {
  consumerKey,
  entryRange,
  indexKey,
  orderKey,
  parseEntryKey,
  parseOrderKey,
  parseSeqKey,
} from './keys.ts';
import { type LogEntry, readLogEntry } from './log-entry.ts';
import type { QueryContext } from './query-context.ts';
import { sliced } from './sliced.ts';
import { segmentOf } from './time-index.ts';
import type { Transactions } from './transactions.ts';

const CONSUMER = 'indexer';
/** Frames of one pass; it is committed as a whole. With the rest between passes it bounds the frames a second. */
const PASS_FRAMES = 1024;
/** Reports of anomalies after which a pass ends, and of one transaction: commits of frames wait for it. */
const PASS_REPORTS = 2_048;
const COMMIT_REPORTS = 256;
/** Anomalies that are read before others may have their turn. */
const NOTES_A_STEP = 64;
/** Rest between passes while there is more to do: leaves most of the processor to ingest. */
const REST_MS = 40;
const WAKE_MS = 200;
const IDLE_MS = 1_000;

export type Indexer = {
  readonly state: (agent: string) => IndexState;
  /** Every entry of the arrival log up to here has been read. */
  readonly indexedTo: () => number;
  /** Agents about which something new was found. */
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
};

type Finding = {
  readonly reports: Report[];
  readonly spans: Map<string, readonly [number, number]>;
};

export function createIndexer(options: IndexerOptions): Indexer {
  const { storage, context, clock, backpressure } = options;
  const { scheduler } = clock;
  const states = new Map<string, IndexState>();
  const indexed = new Subject<string>();
  let done = readDone(storage);
  let turn: 'newest' | 'oldest' = 'newest';

  const state = (agent: string): IndexState => {
    const known = states.get(agent);
    if (known !== undefined) return known;
    const read = readIndexState(storage, agent, clock.now() + context.maxAheadMs);
    states.set(agent, read);
    return read;
  };

  /** One pass; emits whether there is more to do. */
  const pass = (): Observable<boolean> =>
    defer(() => {
      const todo = nextRange(options.transactions.lastNumber(), done, turn);
      if (todo === null) return of(false);
      turn = turn === 'newest' ? 'oldest' : 'newest';
      const findings = new Map<string, Finding>();
      return sliced(() => read(todo, findings), clock, backpressure.pauseMs).pipe(
        switchMap((to) => save([todo[0], to], findings)),
        map(() => true),
      );
    });

  /** Returns the last entry that was read: behind it there may be more. */
  function* read(
    [from, to]: readonly [number, number],
    findings: Map<string, Finding>,
  ): Generator<void, number> {
    let reports = 0;
    for (const { number, key } of storage.read((reader) => entriesBetween(reader, from, to))) {
      const entry = storage.read((reader) => readEntry(reader, number, key));
      if (entry !== undefined) {
        const { agent, record } = entry;
        const finding = findings.get(agent) ?? { reports: [], spans: new Map() };
        findings.set(agent, finding);
        const before = finding.reports.length;
        try {
          yield* examine(context, agent, record, finding);
        } catch (error) {
          const { epoch, firstSeq } = readHeader(record.frame);
          context.onBadFrame(agent, epoch, firstSeq, error);
        }
        reports += finding.reports.length - before;
        if (reports >= PASS_REPORTS) return number;
      }
      yield;
    }
    return to;
  }

  const save = createSave({
    ...options,
    state,
    done: () => done,
    onCommit: (changed, doneAfter) => {
      done = doneAfter ?? done;
      for (const [agent, next] of changed) {
        states.set(agent, next);
        indexed.next(agent);
      }
    },
  });
  const work$ = background({
    pass,
    wake$: options.appended$.pipe(auditTime(WAKE_MS, scheduler)),
    restMs: REST_MS,
    yields: backpressure.high,
    idleMs: IDLE_MS,
    scheduler,
    onError: options.onError,
  });

  return { state, indexedTo: () => done.contiguous, indexed$: indexed.asObservable(), work$ };
}

type SaveOptions = Pick<IndexerOptions, 'transactions' | 'backpressure' | 'clock' | 'onReports'> & {
  readonly state: Indexer['state'];
  readonly done: () => Coverage;
  /** `doneAfter`: null while there is more to commit of the same pass. */
  readonly onCommit: (changed: ReadonlyMap<string, IndexState>, doneAfter: Coverage | null) => void;
};

/**
 * Commits what a pass has found, not too much at once. What is left of a pass after a crash between the transactions is
 * noted again, which changes nothing.
 */
function createSave({ transactions, backpressure, clock, state, done, onCommit, onReports }: SaveOptions) {
  const commit = (
    reports: readonly { readonly agent: string; readonly report: Report }[],
    findings: ReadonlyMap<string, Finding>,
    doneAfter: Coverage | null,
  ): Observable<unknown> =>
    transactions
      .run((transaction) => {
        const changed = new Map<string, IndexState>();
        const stateOf = (agent: string) => {
          const next = changed.get(agent) ?? copyIndexState(state(agent));
          changed.set(agent, next);
          return next;
        };
        for (const { agent, report } of reports) writeReport(transaction, agent, stateOf(agent), report);
        for (const [agent, { spans }] of findings) {
          const next = stateOf(agent);
          for (const [ref, span] of spans) widen(next.spans, ref, span);
        }
        for (const [agent, next] of changed) transaction.writer.put(indexKey(agent), encodeIndexState(next));
        if (doneAfter !== null) transaction.writer.put(consumerKey(CONSUMER), toJson(doneAfter));
        return changed;
      })
      .pipe(
        tap((changed) => {
          onCommit(changed, doneAfter);
          if (reports.length > 0) onReports(reports.length);
        }),
      );

  return (todo: readonly [number, number], findings: ReadonlyMap<string, Finding>): Observable<unknown> => {
    const reports = [...findings].flatMap(([agent, found]) =>
      found.reports.map((report) => ({ agent, report })),
    );
    const firsts: Observable<unknown>[] = [];
    let at = 0;
    for (; reports.length - at > COMMIT_REPORTS; at += COMMIT_REPORTS) {
      const some = reports.slice(at, at + COMMIT_REPORTS);
      firsts.push(commit(some, new Map(), null));
      firsts.push(timer(backpressure.pauseMs(), clock.scheduler));
    }
    const rest = commit(reports.slice(at), findings, cover(done(), todo[0], todo[1]));
    return concat(...firsts, rest).pipe(last());
  };
}

function readDone(storage: Storage): Coverage {
  const parsed = coverageSchema.safeParse(
    parseJson(storage.read((reader) => reader.get(consumerKey(CONSUMER)))),
  );
  return parsed.success ? parsed.data : EMPTY_COVERAGE;
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
  const inIndex = from < end ? reader.range(range) : [];
  return [
    ...inIndex.map(({ key, value }) => ({ number: parseOrderKey(key), key: value })),
    ...inLog.map((number) => ({ number, key: null })),
  ].slice(0, PASS_FRAMES);
}

function readEntry(
  reader: Reader,
  number: number,
  key: Uint8Array | null,
): Pick<LogEntry, 'agent' | 'record'> | undefined {
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
  return hole === undefined ? null : [hole[0], Math.min(hole[1], hole[0] + PASS_FRAMES - 1)];
}

function* examine(
  context: QueryContext,
  agent: string,
  record: FrameRecord,
  finding: Finding,
): Generator<void, void> {
  const { maxAheadMs } = context;
  const { kind, tsMax } = readHeader(record.frame);
  const isAheadAt = aheadIn(record, tsMax, maxAheadMs);
  if (kind === 'thinned') {
    examineDownsampled(record, finding, isAheadAt);
    return;
  }
  for (const group of decodeData(record.frame, { columns: () => 'none' }).groups) {
    let first = Number.POSITIVE_INFINITY;
    let last = Number.NEGATIVE_INFINITY;
    for (const [row, ts] of group.ts.entries()) {
      if (isAheadAt(group.seqs[row] ?? 0, ts)) continue;
      if (ts < first) first = ts;
      if (ts > last) last = ts;
    }
    if (first <= last) widen(finding.spans, group.schemaRef, [first, last]);
    const schema = context.schemas.get(agent, group.schemaRef);
    for (const { row, anomalies } of group.notes) {
      const segment = segmentOf(record, group.seqs[row] ?? 0);
      if (segment === undefined) continue;
      for (const anomaly of anomalies.filter(isReadable)) {
        const latest = Math.max(anomaly.startTs, anomaly.endTs ?? anomaly.startTs);
        finding.reports.push({
          anomaly: anomalyDocument(anomaly, schema),
          isAhead: isAhead(latest, segment.arrivalTs, maxAheadMs),
        });
        if (finding.reports.length % NOTES_A_STEP === 0) yield;
      }
    }
  }
}

/** Buckets have times and no anomalies. */
function examineDownsampled(
  { frame }: FrameRecord,
  { spans }: Finding,
  isAheadAt: ReturnType<typeof aheadIn>,
): void {
  for (const group of decodeDownsampled(frame, { columns: () => 'none' }).groups) {
    let first = Number.POSITIVE_INFINITY;
    let last = Number.NEGATIVE_INFINITY;
    for (const [row, from] of group.ts.entries()) {
      const to = from + (group.spans[row] ?? 0);
      if (isAheadAt(group.seqs[row] ?? 0, to)) continue;
      first = Math.min(first, from);
      last = Math.max(last, to);
    }
    if (first <= last) widen(spans, group.schemaRef, [first, last]);
  }
}

function widen(
  spans: Map<string, readonly [number, number]>,
  ref: string,
  [first, last]: readonly [number, number],
): void {
  const known = spans.get(ref);
  spans.set(ref, known === undefined ? [first, last] : [Math.min(known[0], first), Math.max(known[1], last)]);
}
