/**
 * Keeps a journal going on a disk that is full: sees it, makes room by a commit that only removes (see limit.ts), and
 * goes back to the quota when there is room again. Policies that give up no samples make none: they keep to what they
 * have. Under `thin` the limit alone is lowered at first, so that thinning makes the room; only when appends still fail
 * after it had its time is anything removed.
 */
import { AsyncSubject, interval, Subscription, takeUntil } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { type Storage, StorageError } from '../../storage/storage.ts';
import { createEditor } from '../editor.ts';
import type { Ledger } from '../ledger.ts';
import type { OverflowPolicy } from '../port.ts';
import { dropOldest } from './append-frames.ts';
import { createJournalLimit } from './limit.ts';

export type RoomKeeper = {
  /** Bytes that frames may occupy now. */
  readonly limitBytes: () => number;
  readonly isDiskFull: () => boolean;
  /** An append is durable. */
  readonly noteCommitted: () => void;
  /** An append has failed. */
  readonly noteFailed: (error: unknown) => void;
  readonly end: () => void;
};

export type RoomKeeperOptions = {
  readonly storage: Pick<Storage, 'commit' | 'isShort'>;
  readonly clock: Clock;
  readonly policy: OverflowPolicy;
  readonly quotaBytes: number;
  /** Bytes that frames occupy now. */
  readonly footprint: () => number;
  /** The limit is lower, and nothing was removed. */
  readonly onLowered: () => void;
  /** Room was made; the ledger after it. */
  readonly onTrimmed: (ledger: Ledger) => void;
  /** The quota counts again. */
  readonly onRaised: () => void;
};

/** How often it is looked for room. */
const LOOK_MS = 1_000;
/** For thinning to make room, in a few ticks of its caller. */
const DOWNSAMPLING_MS = 3_000;

export function createRoomKeeper(options: RoomKeeperOptions): RoomKeeper {
  const { storage, clock, policy, quotaBytes, footprint, onLowered, onTrimmed, onRaised } = options;
  const limit = createJournalLimit({ quotaBytes, clock, isShort: storage.isShort, footprint: footprint() });
  /** Also for a trim that lands after the end. */
  const ended$ = new AsyncSubject<void>();
  let looking = Subscription.EMPTY;
  let trimming = false;
  let downsamplingUntil = Number.NEGATIVE_INFINITY;

  const raise = () => {
    if (!limit.raise()) return;
    looking.unsubscribe();
    onRaised();
  };
  const look = () => {
    looking.unsubscribe();
    looking = interval(LOOK_MS, clock.scheduler).pipe(takeUntil(ended$)).subscribe(raise);
  };
  const trim = () => {
    if (trimming) return;
    trimming = true;
    storage
      .commit((writer) => {
        const editor = createEditor(writer, clock.now());
        const before = editor.ledger.footprint;
        const givesWay = policy === 'drop-oldest' || policy === 'thin';
        const target = givesWay ? limit.targetFor(before) : Math.min(before, quotaBytes);
        if (givesWay) dropOldest(writer, editor, target);
        return { target, ledger: editor.finish() };
      })
      .subscribe({
        next: ({ target, ledger }) => {
          trimming = false;
          limit.noteTrimmed(target);
          look();
          onTrimmed(ledger);
        },
        // The append that failed is tried again, and this after it.
        error: () => {
          trimming = false;
        },
      });
  };
  const lower = () => {
    limit.noteTrimmed(limit.marginFor(footprint()));
    downsamplingUntil = clock.precise() + DOWNSAMPLING_MS;
    look();
  };
  const makeRoom = () => {
    if (policy === 'thin' && !limit.isLowered()) {
      lower();
      onLowered();
    } else if (clock.precise() >= downsamplingUntil) trim();
  };
  if (limit.isLowered()) {
    if (policy === 'thin') lower();
    else look();
  }

  return {
    limitBytes: limit.bytes,
    isDiskFull: limit.isLowered,
    noteCommitted: () => {
      if (!limit.isLowered() && storage.isShort()) makeRoom();
    },
    noteFailed: (error) => {
      if (error instanceof StorageError && error.code === 'full') makeRoom();
    },
    end: () => {
      ended$.next();
      ended$.complete();
    },
  };
}
