/**
 * Frames that turn out unreadable while HQ runs: the record was damaged on the disk, or its frame does not decode. What
 * the epoch has is counted, in slices; what is gone is taken back in one transaction with the records that cannot be
 * read, which nobody meets again. The agent is asked once more for what it may still have.
 *
 * Part of the upkeep of the store, where nothing else rewrites frames: only new ones come meanwhile, and what they
 * stand for was not accounted for before.
 */
import {
  concat,
  defer,
  EMPTY,
  ignoreElements,
  map,
  type Observable,
  of,
  Subject,
  switchMap,
  tap,
} from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { countOf } from '../../protocol/coverage.ts';
import { FrameError } from '../../protocol/frame.ts';
import { checkFrame } from '../../protocol/frame-codec.ts';
import type { Epoch } from '../../protocol/sample.ts';
import { readPage } from '../../storage/read-page.ts';
import type { Damage, Storage } from '../../storage/storage.ts';
import { removeRecord } from './append-frame.ts';
import { type EpochState, takeBack, toJson } from './epoch-state.ts';
import { decodeFrameRecord, type FrameRecord } from './frame-record.ts';
import { decodeGapRecord } from './gap-record.ts';
import { entryKey, parseEntryKey, parseSeqKey, RECOUNT_KEY, seqRange } from './keys.ts';
import { readLogEntry, type TailEntry } from './log-entry.ts';
import { loseForGood, neverToCome } from './lose-for-good.ts';
import { addPresent, nothingPresent, type Present } from './present.ts';
import { type Recounted, recountEpoch } from './recount-epoch.ts';
import { readRemoved } from './removed-seqs.ts';
import { addRecord, soundFrame } from './scan-frames.ts';
import { sliced } from './sliced.ts';
import type { TakenBack } from './store.ts';
import type { StoreEmit } from './store-events.ts';
import { segmentOf } from './time-index.ts';
import type { Transaction, Transactions } from './transactions.ts';

export type TakeBack = {
  /** A frame of it was met that cannot be read. */
  readonly note: (agent: string, epoch: Epoch, seq: number, error: unknown) => void;
  /** Counts an epoch of which such a frame was met; emits whether there is more. */
  readonly next: () => Observable<boolean>;
  /** Told once it is durable. */
  readonly takenBack$: Observable<TakenBack>;
  /** Takes note of damaged records while subscribed; never emits. */
  readonly watch$: Observable<never>;
};

export type TakeBackOptions = {
  readonly storage: Storage;
  readonly transactions: Transactions;
  readonly clock: Clock;
  readonly pauseMs: () => number;
  readonly emit: StoreEmit;
};

type Place = { readonly agent: string; readonly epoch: Epoch };
/** `seqs`: of frames that were met; those are looked at whole. */
type Suspect = Place & { readonly seqs: Set<number> };

/** What another version may read is no damage, nor is a fault of ours. */
const OTHERS: ReadonlySet<string> = new Set(['unsupported_version', 'unsupported_kind', 'encrypted']);
const isDamage = (error: unknown): boolean => error instanceof FrameError && !OTHERS.has(error.code);
const PAGE = 64;

export function createTakeBack(options: TakeBackOptions): TakeBack {
  const { storage, transactions, clock, emit } = options;
  const suspects = new Map<string, Suspect>();
  const takenBack = new Subject<TakenBack>();
  let isRecountDue = false;

  const suspect = ({ agent, epoch }: Place, seq: number | null) => {
    const name = `${agent}/${epoch}`;
    const known = suspects.get(name) ?? { agent, epoch, seqs: new Set<number>() };
    suspects.set(name, known);
    if (seq !== null) known.seqs.add(seq);
  };
  const noteDamage = ({ what, key }: Damage) => {
    if (what !== 'record' || key === null) return;
    const kind = String.fromCharCode(key[0] ?? 0);
    if (kind === 'F' || kind === 'G') suspect(parseSeqKey(key), null);
    else if (kind === 'J') suspectEntry(parseEntryKey(key));
    else isRecountDue = true;
  };
  const suspectEntry = (number: number) => {
    for (const [agent, tail] of transactions.durable.tails)
      for (const entry of tail) if (entry.number === number) suspect({ agent, epoch: entry.epoch }, null);
  };
  /** What else is damaged, the next start mends. */
  const markRecount = () => {
    isRecountDue = false;
    return transactions.run(({ writer }) => writer.put(RECOUNT_KEY, toJson({ log: 0 })));
  };
  const count = (one: Suspect): Observable<unknown> => {
    const { agent, epoch } = one;
    const saved = transactions.durable.epochs.get(agent)?.get(epoch);
    if (saved === undefined) return of(null);
    const tail = (transactions.durable.tails.get(agent) ?? []).filter((entry) => entry.epoch === epoch);
    return sliced(() => scan(storage, { one, saved, tail }), clock, options.pauseMs).pipe(
      switchMap((found) =>
        found.lost.length + found.bad.length === 0
          ? EMPTY
          : transactions.run((transaction) => settle(transaction, { one, found, now: clock.now() })),
      ),
      tap((taken) => {
        if (taken.again + taken.lost === 0) return;
        emit({ type: 'store_samples_taken_back', ...taken });
        takenBack.next(taken);
      }),
    );
  };

  return {
    takenBack$: takenBack.asObservable(),
    watch$: storage.damage$.pipe(tap(noteDamage), ignoreElements()),
    note: (agent, epoch, seq, error) => {
      if (isDamage(error)) suspect({ agent, epoch }, seq);
    },
    next: () =>
      defer((): Observable<boolean> => {
        const [first] = suspects;
        if (first === undefined) return isRecountDue ? markRecount().pipe(map(() => false)) : of(false);
        const [name, one] = first;
        suspects.delete(name);
        return concat(
          count(one).pipe(ignoreElements()),
          defer(() => of(suspects.size > 0)),
        );
      }),
  };
}

type Found = Recounted & {
  /** Keys of records that cannot be read, and what can be told of them. */
  readonly bad: readonly { readonly key: Uint8Array; readonly record: FrameRecord | undefined }[];
};

type Scope = {
  readonly one: Suspect;
  /** As it is durable now. */
  readonly saved: EpochState;
  readonly tail: readonly TailEntry[];
};

function* scan(storage: Storage, { one, saved, tail }: Scope): Generator<void, Found> {
  const { agent, epoch, seqs } = one;
  const removed = storage.read((reader) => readRemoved(reader, agent, epoch));
  const present = nothingPresent();
  if (removed !== undefined) present.counted = { ...present.counted, coverage: removed.coverage };
  const bad: { key: Uint8Array; record: FrameRecord | undefined }[] = [];
  const look = (key: Uint8Array, record: FrameRecord | undefined) => {
    const sound = record === undefined || isSpoiled(record, seqs) ? null : soundFrame(record, epoch);
    if (record === undefined || sound === null) bad.push({ key, record });
    else addRecord(present, record, sound.accounting);
  };
  const frames = seqRange('F', agent, epoch, 0);
  for (let { from } = frames; ; ) {
    const keys = storage.read((reader) => reader.keys({ from, to: frames.to, limit: PAGE }));
    for (const key of keys) {
      const value = storage.read((reader) => reader.get(key));
      look(key, value === undefined ? undefined : decodeFrameRecord(value));
      yield;
    }
    const last = keys.at(-1);
    if (last === undefined || keys.length < PAGE) break;
    from = seqRange('F', agent, epoch, parseSeqKey(last).seq + 1).from;
  }
  for (const { number } of tail) {
    look(entryKey(number), storage.read((reader) => readLogEntry(reader, number))?.record);
    yield;
  }
  yield* scanGaps(storage, one, present);
  return { ...recountEpoch({ saved, removed, present }), bad };
}

function* scanGaps(storage: Storage, { agent, epoch }: Place, present: Present): Generator<void, void> {
  const range = seqRange('G', agent, epoch, 0);
  for (let { from } = range; ; ) {
    const page = storage.read((reader) => readPage(reader, { ...range, from, limit: PAGE }));
    for (const { key, value } of page.entries) {
      const gap = decodeGapRecord(value);
      if (gap === undefined) continue;
      addPresent(present, { kind: 'dropped', reason: gap.reason }, parseSeqKey(key).seq, gap.lastSeq);
    }
    if (page.next === null) return;
    from = page.next;
    yield;
  }
}

/** One of these frames, and it does not decode as a whole. */
function isSpoiled(record: FrameRecord, seqs: ReadonlySet<number>): boolean {
  if (![...seqs].some((seq) => segmentOf(record, seq) !== undefined)) return false;
  try {
    checkFrame(record.frame);
    return false;
  } catch (error) {
    return isDamage(error);
  }
}

type Settling = { readonly one: Suspect; readonly found: Found; readonly now: number };

function settle(transaction: Transaction, { one, found, now }: Settling): TakenBack {
  const { agent, epoch } = one;
  for (const { key, record } of found.bad) drop(transaction, one, key, record);
  const nothing = { agent, epoch, again: 0, lost: 0 };
  if (found.lost.length === 0) return nothing;
  const before = transaction.epoch(agent, epoch);
  // Its agent has been removed for good meanwhile.
  if (before === undefined) return nothing;
  const state = takeBack(before, found.lost, found.counts);
  const known = transaction.agent(agent);
  const isOver = state.owned || (known !== undefined && known.epoch !== epoch);
  const gone = neverToCome(state, found.lost, { owned: state.owned, isOver });
  const source = { reader: transaction.writer, tail: transaction.tail };
  const final = loseForGood(transaction.writer, source, { agent, epoch, state, gone, now });
  transaction.setEpoch(agent, epoch, final);
  // Its rollups still hold what is gone, and get what comes again: the next start makes them again.
  transaction.writer.put(RECOUNT_KEY, toJson({ log: 0 }));
  const lost = countOf(gone);
  return { ...nothing, again: countOf(found.lost) - lost, lost };
}

function drop(
  transaction: Transaction,
  { agent, epoch }: Place,
  key: Uint8Array,
  record: FrameRecord | undefined,
): void {
  const header = record === undefined ? null : soundFrame(record, epoch);
  const isOfIndex = key[0] === 'F'.charCodeAt(0);
  if (isOfIndex && record !== undefined && header !== null) {
    const { tsMin, tsMax } = header;
    removeRecord(transaction, { ...record, agent, epoch, seq: parseSeqKey(key).seq, tsMin, tsMax });
    return;
  }
  transaction.writer.remove(key);
  if (isOfIndex) transaction.countAgain(agent);
}
