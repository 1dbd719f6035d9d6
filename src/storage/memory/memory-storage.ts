/**
 * Storage in memory: for tests and simulation. Same promises as LMDB's, with the disk as an object that outlives the
 * storage, so that a crash can be played: what had not been flushed is gone, the disk stays.
 */
import {
  concat,
  defer,
  EMPTY,
  ignoreElements,
  Observable,
  ReplaySubject,
  type SchedulerLike,
  timer,
} from 'rxjs';
import { footprintOf, openValue, sealValue } from '../checked-record.ts';
import { closedError, createCommitQueue } from '../commit-queue.ts';
import { keyBytes, keyText } from '../key-text.ts';
import type { Operation } from '../overlay.ts';
import {
  type Damage,
  type Entry,
  type RangeQuery,
  type Reader,
  type Storage,
  StorageError,
} from '../storage.ts';
import { createOrderedKeys, type OrderedKeys } from './ordered-keys.ts';

/** A simulated disk. */
export type MemoryDisk = {
  readonly records: Map<string, Uint8Array>;
  /** Keys of `records` in order; null when they have to be sorted again. */
  orderedKeys: OrderedKeys | null;
  usedBytes: number;
};

export type MemoryStorageOptions = {
  /** Continues on the records of an earlier storage. Default: an empty disk. */
  readonly disk?: MemoryDisk;
  /** How long a flush takes, ms; 0 (default) flushes at once, within the subscription. */
  readonly commitDelayMs?: number;
  /** Needed for `commitDelayMs` > 0. */
  readonly scheduler?: SchedulerLike;
  /** Asked before each flush: an error makes the commit fail with it, nothing being written. */
  readonly refuseCommit?: () => StorageError | null;
  /**
   * In place of `commitDelayMs` and `refuseCommit`: makes the flush of one commit. `write` puts it on the disk whole,
   * and may be called at any time, never, or although the flush then fails, as disks do; completion says that it is
   * durable.
   */
  readonly flush?: (write: () => void, operations: readonly Operation[]) => Observable<never>;
};

export function createMemoryDisk(): MemoryDisk {
  return { records: new Map(), orderedKeys: null, usedBytes: 0 };
}

/** Flips a bit of the stored value at `key`, as a failing disk would. */
export function damageRecord(disk: MemoryDisk, key: Uint8Array): void {
  const stored = disk.records.get(keyText(key));
  if (stored !== undefined && stored[0] !== undefined) stored[0] ^= 1;
}

export function createMemoryStorage(options: MemoryStorageOptions = {}): Storage {
  const disk = options.disk ?? createMemoryDisk();
  const commitDelayMs = options.commitDelayMs ?? 0;
  const { scheduler, refuseCommit } = options;
  if (commitDelayMs > 0 && scheduler === undefined) {
    throw new StorageError('configuration', 'A memory storage with commitDelayMs needs a scheduler.');
  }
  const damage$ = new ReplaySubject<Damage>();
  let closed = false;
  const reader = createDiskReader(disk, (damage) => damage$.next(damage));

  const apply = (operations: readonly Operation[]) => {
    for (const { key, value } of operations) writeRecord(disk, key, value);
  };
  const flush = (operations: readonly Operation[]): Observable<never> =>
    options.flush?.(() => apply(operations), operations) ??
    defer(() => {
      const refusal = refuseCommit?.() ?? null;
      if (refusal !== null) throw refusal;
      const wait = commitDelayMs > 0 ? timer(commitDelayMs, scheduler).pipe(ignoreElements()) : EMPTY;
      return concat(
        wait,
        defer(() => {
          apply(operations);
          return EMPTY;
        }),
      );
    });
  const queue = createCommitQueue({ view: (work) => work(reader), flush, defer: (run) => run() });

  return {
    read: (work) => {
      if (closed) throw closedError();
      return work(reader);
    },
    commit: queue.commit,
    stats: () => ({ usedBytes: disk.usedBytes, fileBytes: disk.usedBytes }),
    isShort: () => false,
    isInPlace: () => true,
    damage$: damage$.asObservable(),
    close: () =>
      new Observable<never>((subscriber) => {
        const finish = () => {
          closed = true;
          queue.fail(closedError());
          damage$.complete();
          subscriber.complete();
        };
        return queue.drained$.subscribe({ complete: finish });
      }),
  };
}

function writeRecord(disk: MemoryDisk, key: Uint8Array, value: Uint8Array | null): void {
  const text = keyText(key);
  const before = disk.records.get(text);
  if (before !== undefined) disk.usedBytes -= footprintOf(key.length, before.length);
  if (value === null) {
    if (before === undefined) return;
    disk.records.delete(text);
    disk.orderedKeys?.remove(text);
    return;
  }
  const stored = sealValue(key, value);
  disk.usedBytes += footprintOf(key.length, stored.length);
  disk.records.set(text, stored);
  if (before === undefined) disk.orderedKeys?.add(text);
}

function createDiskReader(disk: MemoryDisk, report: (damage: Damage) => void): Reader {
  const reported = new Set<string>();
  const get = (key: Uint8Array): Uint8Array | undefined => {
    const text = keyText(key);
    const stored = disk.records.get(text);
    if (stored === undefined) return undefined;
    const value = openValue(key, stored);
    if (value !== undefined) return new Uint8Array(value);
    if (!reported.has(text)) {
      reported.add(text);
      report({
        what: 'record',
        key: new Uint8Array(key),
        detail: 'checksum does not match',
        quarantine: null,
      });
    }
    return undefined;
  };
  const textsOf = ({ from, to, reverse, limit }: RangeQuery): string[] => {
    disk.orderedKeys ??= createOrderedKeys(disk.records.keys());
    return disk.orderedKeys.within({
      from: keyText(from),
      to: keyText(to),
      limit,
      reverse: reverse === true,
    });
  };
  return {
    get,
    keys: (query) => textsOf(query).map(keyBytes),
    range: (query) =>
      textsOf(query).flatMap((text): Entry[] => {
        const key = keyBytes(text);
        const value = get(key);
        return value === undefined ? [] : [{ key, value }];
      }),
  };
}
