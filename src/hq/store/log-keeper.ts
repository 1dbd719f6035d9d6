/**
 * Keeps the log short: files its frames into the index, saves what it says of epochs, and removes entries that neither
 * a start nor a reader needs any more.
 */
import {
  catchError,
  concat,
  defer,
  EMPTY,
  expand,
  ignoreElements,
  map,
  type Observable,
  type Observer,
  of,
  Subject,
  switchMap,
  takeUntil,
  tap,
  timer,
} from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Backpressure } from './backpressure.ts';
import {
  commitFiling,
  dueFilings,
  entriesIn,
  type Filing,
  type FilingPlan,
  isCrowded,
  planFiling,
} from './filing.ts';
import { entryRange } from './keys.ts';
import type { QueryContext } from './query-context.ts';
import { sliced } from './sliced.ts';
import type { StoreEmit } from './store-events.ts';
import type { Transactions } from './transactions.ts';

/** An entry is filed when it has waited for one to two of these, ms. */
const FILE_AFTER_MS = 20_000;
/** States are saved this often, ms, or when the log holds so many entries more than they say. */
const SAVE_AFTER_MS = 30_000;
const SAVE_AFTER_ENTRIES = 65_536;
/** Longest work before the store is closed, ms. */
const SETTLE_MS = 5_000;
/** Of one transaction, as commits of frames wait for it. */
const EPOCHS_PER_SAVE = 64;
const ENTRIES_PER_REMOVAL = 1024;

/** A record that was put into the index. */
export type FiledFrame = {
  readonly agent: string;
  readonly epoch: Epoch;
  readonly first: number;
  readonly last: number;
};

export type LogKeeperOptions = {
  readonly storage: Storage;
  readonly transactions: Transactions;
  readonly context: QueryContext;
  readonly clock: Clock;
  readonly backpressure: Backpressure;
  /** Entries up to this number have been read by every other reader. */
  readonly readTo: () => number;
  readonly emit: StoreEmit;
};

export type LogKeeper = {
  /** Files what is due; emits whether there is more. What arrived before `arrivedBefore` is due at once. */
  readonly file: (limits: { readonly arrivedBefore: number }) => Observable<boolean>;
  /** Saves states and removes entries, where it is time; emits whether there is more. */
  readonly save: () => Observable<boolean>;
  /** Files and saves all there is, as far as it can; for the end. What is left a start does. */
  readonly settle: () => Observable<never>;
  /** So much waits to be filed that it must not wait for others any more. */
  readonly isCrowded: () => boolean;
  /** Entries that are not in the index, and those that the saved states do not know of. */
  readonly waiting: () => { readonly unfiled: number; readonly unsaved: number };
  /** Records that were put into the index. */
  readonly filed$: Observable<FiledFrame>;
};

export function createLogKeeper(options: LogKeeperOptions): LogKeeper {
  const { transactions, clock } = options;
  const age = createAge(clock, transactions.lastNumber);
  let round = { at: clock.precise(), to: 0, isOpen: false };
  let removedTo = 0;
  const filed = new Subject<FiledFrame>();

  const saveSome = (): Observable<boolean> =>
    defer(() => {
      const left = transactions.unsaved();
      const isTime = clock.precise() - round.at >= SAVE_AFTER_MS || left >= SAVE_AFTER_ENTRIES;
      if (!round.isOpen && (left === 0 || !isTime)) return of(false);
      if (!round.isOpen) round = { at: clock.precise(), to: transactions.lastNumber(), isOpen: true };
      return transactions
        .run((transaction) => {
          const isDone = transaction.savedTo() >= round.to;
          if (!isDone) transaction.saveEpochs(EPOCHS_PER_SAVE);
          return !isDone;
        })
        .pipe(
          tap((more) => {
            round = { ...round, isOpen: more };
          }),
        );
    });

  /** What is safe to remove is judged within the transaction: one before it may have failed. */
  const removeSome = (): Observable<boolean> =>
    defer(() => {
      const to = Math.min(options.readTo(), filedTo(transactions));
      const saved = transactions.lastNumber() - transactions.unsaved();
      if (Math.min(to, saved) <= removedTo) return of(false);
      return transactions
        .run(({ writer, savedTo }) => {
          const safe = Math.min(to, savedTo());
          const keys = writer.keys({ ...entryRange(0, safe + 1), limit: ENTRIES_PER_REMOVAL });
          for (const key of keys) writer.remove(key);
          return { safe, more: keys.length === ENTRIES_PER_REMOVAL };
        })
        .pipe(
          map(({ safe, more }) => {
            if (!more) removedTo = Math.max(removedTo, safe);
            return more;
          }),
        );
    });

  const file: LogKeeper['file'] = ({ arrivedBefore }) =>
    defer(() => {
      const due = dueFilings(transactions.durable.tails, { before: age.oldTo(), arrivedBefore });
      return due.length === 0 ? of(false) : fileAll(options, due, filed);
    });
  const saveAny = () =>
    defer(() =>
      transactions.unsaved() === 0
        ? of(false)
        : transactions.run((transaction) => transaction.saveEpochs(EPOCHS_PER_SAVE)).pipe(map(() => true)),
    );

  return {
    file,
    filed$: filed.asObservable(),
    isCrowded: () => isCrowded(transactions.durable.tails),
    waiting: () => {
      const unfiled = entriesIn(transactions.durable.tails);
      return { unfiled, unsaved: transactions.unsaved() };
    },
    settle: () =>
      concat(
        untilDone(() => file({ arrivedBefore: Number.POSITIVE_INFINITY })),
        untilDone(saveAny),
      ).pipe(
        takeUntil(timer(SETTLE_MS, clock.scheduler)),
        catchError(() => EMPTY),
      ),
    save: () => saveSome().pipe(switchMap((more) => removeSome().pipe(map((rest) => more || rest)))),
  };
}

const untilDone = (step: () => Observable<boolean>): Observable<never> =>
  step().pipe(
    expand((more) => (more ? step() : EMPTY)),
    ignoreElements(),
  );

function fileAll(
  options: LogKeeperOptions,
  due: readonly Filing[],
  filed: Observer<FiledFrame>,
): Observable<boolean> {
  const { storage, transactions, context, clock, backpressure, emit } = options;
  const plans = function* (): Generator<void, readonly FilingPlan[]> {
    const made: FilingPlan[] = [];
    for (const filing of due) {
      const plan = yield* planFiling(storage, filing, ({ epoch, first }, error) =>
        context.onBadFrame(filing.agent, epoch, first, error),
      );
      made.push(plan);
    }
    return made;
  };
  const pauseMs = () => (isCrowded(transactions.durable.tails) ? 0 : backpressure.pauseMs());
  return sliced(plans, clock, pauseMs).pipe(
    switchMap((made) =>
      transactions.run((transaction) => made.filter((plan) => commitFiling(transaction, plan))),
    ),
    map((done) => {
      let [merged, into] = [0, 0];
      for (const plan of done) {
        merged += plan.merged;
        into += plan.into;
        for (const { agent, epoch, segments } of plan.records)
          filed.next({ agent, epoch, first: segments[0]?.first ?? 0, last: segments.at(-1)?.last ?? 0 });
      }
      if (merged > 0) emit({ type: 'store_frames_compacted', merged, into });
      return done.length > 0;
    }),
  );
}

/** Every entry up to here is in the index. */
function filedTo({ durable, lastNumber }: Transactions): number {
  let to = lastNumber();
  for (const [first] of durable.tails.values()) if (first !== undefined) to = Math.min(to, first.number - 1);
  return to;
}

/** Tells which entries have waited long enough. */
function createAge(clock: Pick<Clock, 'precise'>, lastNumber: () => number) {
  let old = 0;
  let mark = { at: clock.precise(), number: lastNumber() };
  return {
    oldTo: (): number => {
      if (clock.precise() - mark.at >= FILE_AFTER_MS) {
        old = mark.number;
        mark = { at: clock.precise(), number: lastNumber() };
      }
      return old;
    },
  };
}
