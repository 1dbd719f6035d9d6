/**
 * The agent's journal over any Storage.
 *
 * Promises:
 * - an append is one transaction of frames, schemas, ledger and where its sources stand after it; its samples count as
 *   sampled when it emits;
 * - `sampled = acked + pending + Σ dropped` after every transaction, also those of recovery;
 * - seqs are given out in the order in which appends are subscribed, without holes, across restarts;
 * - the state lives in the storage: each transaction reads the ledger, changes it and writes it, so that a commit
 *   that failed, and may yet have got through, leaves nothing here that could disagree with the disk;
 * - an append that failed can be tried again with the same array of samples: it is not stored twice, even when the
 *   failed commit got through;
 * - long work (release, compact, thin, pending) runs in slices and lets others in between.
 *
 * Bounds: frames occupy at most 95 % of `maxBytes`; the rest is for the ledger, gaps, dead letters and LMDB's free
 * pages. While the disk is full they occupy at most what there is room for (append/room.ts).
 */
import {
  concat,
  concatMap,
  defer,
  EMPTY,
  expand,
  from,
  last,
  map,
  type Observable,
  of,
  subscribeOn,
  tap,
} from 'rxjs';
import type { Clock } from '../platform/clock.ts';
import type { Ids } from '../platform/ids.ts';
import { EMPTY_COVERAGE, subtract } from '../protocol/coverage.ts';
import type { SampleRows } from '../protocol/sample-block.ts';
import { type Storage, StorageError } from '../storage/storage.ts';
import { createAppendLine } from './append/append-line.ts';
import { createCompaction } from './compaction/compaction.ts';
import { NOTHING_DOWNSAMPLED } from './downsampling/downsample.ts';
import { createDownsampling } from './downsampling/downsampling.ts';
import { createEditor, readAcked } from './editor.ts';
import { createJournalState, type JournalState } from './journal-state.ts';
import { positionKey, STATE_KEY } from './keys.ts';
import type { Ledger } from './ledger.ts';
import { readPending } from './pending.ts';
import type { Journal, OverflowPolicy } from './port.ts';
import { beginJournal, repairJournal, surveyJournal } from './recovery/recovery.ts';
import { reinstateFrames } from './recovery/reinstate.ts';
import { renewJournal, unfinishedRenewal } from './recovery/renewal.ts';
import { rejectFrame, releaseSlice } from './release.ts';
import { readSchemas, schemaOf } from './schemas.ts';

export type JournalOptions = {
  /** Belongs to the journal from now on: `close` closes it. */
  readonly storage: Storage;
  readonly clock: Clock;
  readonly ids: Ids;
  /** What gives way when the quota is reached. Under `thin`, its owner calls `thin` now and then. */
  readonly policy: OverflowPolicy;
  /** Quota of the journal on the disk, bytes. Minimum 16 KiB; sensible from 4 frames of 256 KiB on. */
  readonly maxBytes: number;
  /** Frames with fewer samples are merged by `compact` into frames of at least as many. Default 512, 2 … 4096. */
  readonly compactSamples?: number;
  /** Begins a new epoch and keeps what is pending in it; for a cloned disk. Default false. */
  readonly newEpoch?: boolean;
  /** The storage is in memory because there is no disk to write to. Default false. */
  readonly inMemory?: boolean;
};

const MIN_BYTES = 16 * 1024;
const DEFAULT_COMPACT_SAMPLES = 512;

/** Emits the journal once it is ready, then completes; errors with a StorageError. */
export function openJournal(options: JournalOptions): Observable<Journal> {
  const { storage, ids } = options;
  return defer(() => {
    checkOptions(options);
    // A renewal that was cut off comes first: until it is done the ledger says nothing.
    const unfinished = storage.read(unfinishedRenewal);
    if (unfinished !== null) return renewJournal(options, unfinished.epoch);
    return mendLedger(options);
  }).pipe(
    concatMap((ledger) =>
      ledger.forked || (options.newEpoch === true && ledger.sampled > 0)
        ? renewJournal(options, ids.hex(6))
        : of(ledger),
    ),
    map((ledger) => createJournal(options, ledger)),
  );
}

/** Emits the ledger, rebuilt where it does not agree with the frames. */
function mendLedger({ storage, clock, ids }: JournalOptions): Observable<Ledger> {
  return defer(() => {
    let fileDamaged = false;
    storage.damage$
      .subscribe(({ what }) => {
        fileDamaged ||= what === 'file';
      })
      .unsubscribe();
    const survey = storage.read(surveyJournal);
    const { ledger, healthy, added } = survey;
    if (ledger !== null && healthy && !fileDamaged)
      return added === null
        ? of(ledger)
        : storage.commit((writer) => createEditor(writer, clock.now(), { ...ledger, ...added }).finish());
    return storage.commit((writer) => {
      if (survey.empty && !fileDamaged) return beginJournal(writer, ids.hex(6), clock.now());
      return repairJournal(writer, { freshEpoch: ids.hex(6), fileDamaged, now: clock.now() });
    });
  });
}

function checkOptions({ maxBytes, compactSamples = DEFAULT_COMPACT_SAMPLES }: JournalOptions): void {
  const refuse = (message: string): never => {
    throw new StorageError('configuration', message);
  };
  if (!(maxBytes >= MIN_BYTES))
    refuse(`A journal needs at least ${MIN_BYTES} bytes; maxBytes is ${maxBytes}.`);
  if (!(compactSamples >= 2 && compactSamples <= 4096))
    refuse(`compactSamples is ${compactSamples}; it must be 2 … 4096.`);
}

function createJournal(options: JournalOptions, opened: Ledger): Journal {
  const { clock, policy, compactSamples = DEFAULT_COMPACT_SAMPLES } = options;
  const state = createJournalState(options, opened, () => line.retry());
  const { storage, room, stats$, edit, publish } = state;
  const schemas = storage.read(readSchemas);
  // Kept over runs that HQ does not accept: what they append must not hide that HQ holds more than this journal
  // delivered.
  const begun = opened.begun ?? opened.sampled;
  const line = createAppendLine({
    storage,
    clock,
    policy,
    limitBytes: room.limitBytes,
    onAppend: (editor) => {
      const { ledger } = editor;
      const accepted = ledger.greeting?.instance !== opened.greeting?.instance;
      if (!accepted && ledger.begun === null) editor.count({ begun });
    },
    onCommitted: (ledger, overflowed) => {
      publish(ledger, overflowed);
      room.noteCommitted();
    },
    onFailed: room.noteFailed,
    onBlocked: state.noteBlocked,
  });
  const compact = createCompaction({ clock, compactSamples, edit });
  const downsample = createDownsampling({
    storage,
    clock,
    limitBytes: room.limitBytes,
    footprint: state.footprint,
    edit,
  });
  /** What was done may have made room. */
  const thenRetry = <T>(source: Observable<T>) => source.pipe(tap(() => line.retry()));
  const acks = createAcks(state, clock);

  return {
    epoch: opened.epoch,
    begun,
    append: (samples: readonly SampleRows[]) =>
      line.append(samples).pipe(
        tap(() => {
          for (const { schema } of samples) schemas.set(schema.ref, schema);
        }),
        concatMap((appended) => from(appended)),
      ),
    pending: (query) => {
      const confirmed = () => stats$.value.sampled;
      return readPending({ storage, clock, confirmed, onRepaired: publish }, query);
    },
    release: (acked) => thenRetry(acks.release(acked)),
    noteAccepted: (instance) => noteAccepted(state, instance),
    noteHq: (hq) => edit((_, editor) => editor.count({ hq })).pipe(map(() => undefined)),
    noteFork: () => edit((_, editor) => editor.count({ forked: true })).pipe(map(() => undefined)),
    reinstate: acks.reinstate,
    reject: (firstSeq, detail, lastSeq) =>
      thenRetry(
        edit((writer, editor) => rejectFrame(writer, editor, { firstSeq, lastSeq, detail })).pipe(
          map(() => stats$.value),
        ),
      ),
    compact: (inFlight) => thenRetry(compact(inFlight)),
    thin: (inFlight) => (policy === 'thin' ? downsample(inFlight) : of(NOTHING_DOWNSAMPLED)),
    keptState: () => storage.read((reader) => reader.get(STATE_KEY)),
    keepState: (bytes) => storage.commit((writer) => writer.put(STATE_KEY, bytes)),
    schema: (ref) => schemaOf(storage, schemas, ref),
    position: (source) => {
      const said = storage.read((reader) => reader.get(positionKey(source)));
      return said === undefined ? null : Buffer.from(said).toString();
    },
    stats: () => stats$.value,
    stats$: stats$.asObservable(),
    close: () =>
      concat(
        storage.close(),
        defer(() => endState(state)),
      ),
  };
}

/** Takes acks from HQ, and takes them back when HQ was restored from an older state. */
function createAcks(
  { storage, stats$, edit }: JournalState,
  clock: Clock,
): Pick<Journal, 'release' | 'reinstate'> {
  /** How often acks have been taken back. */
  let reinstated = 0;
  return {
    release: (acked) => {
      const before = reinstated;
      // Acks from before HQ was restored count no more.
      const slice = () =>
        edit((writer, editor) => before === reinstated && releaseSlice(writer, editor, acked));
      return slice().pipe(
        // Timers and I/O come in between.
        expand(({ result: more }) => (more ? slice().pipe(subscribeOn(clock.scheduler)) : EMPTY)),
        last(),
        map(() => stats$.value),
      );
    },
    reinstate: (held) =>
      defer(() => {
        // By far the most often there is nothing to do, and nothing to be written.
        const acked = storage.read(readAcked) ?? EMPTY_COVERAGE;
        if (subtract(acked, held).length === 0) return of({ again: 0, lost: 0 });
        return edit((writer, editor) => {
          reinstated += 1;
          return reinstateFrames(writer, editor, held, clock.now());
        }).pipe(map(({ result }) => result));
      }),
  };
}

function noteAccepted({ stats$, edit }: JournalState, instance: string): Observable<void> {
  return defer(() => {
    const { greeting } = stats$.value;
    if (greeting?.instance === instance) return of(undefined);
    const number = (greeting?.number ?? 0) + 1;
    const noted = { greeting: { number, instance }, begun: null, rebuilt: false };
    return edit((_, editor) => editor.count(noted)).pipe(map(() => undefined));
  });
}

function endState({ room, stats$ }: JournalState): Observable<never> {
  room.end();
  stats$.complete();
  return EMPTY;
}
