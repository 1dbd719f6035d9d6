/**
 * A simulated disk behind the Storage interface: the product's own memory storage, whose commits take time here, fail,
 * and are cut off by the death of their process.
 *
 * What it promises is what Storage promises and no more: a commit that was said to be durable is on the disk whole. One
 * that failed, or whose process died meanwhile, may be there or not. A torn one is there with a record whose checksum
 * is wrong, which Storage reports.
 */
import { merge, Observable, of } from 'rxjs';
import { footprintOf } from '../../src/storage/checked-record.ts';
import { keyText } from '../../src/storage/key-text.ts';
import {
  createMemoryDisk,
  createMemoryStorage,
  damageRecord,
  type MemoryDisk,
} from '../../src/storage/memory/memory-storage.ts';
import type { Operation } from '../../src/storage/overlay.ts';
import { type Damage, type Storage, StorageError } from '../../src/storage/storage.ts';
import type { Chance } from './chance.ts';
import type { Life } from './machine.ts';

export type Snapshot = {
  readonly records: ReadonlyMap<string, Uint8Array>;
  readonly usedBytes: number;
  /** It lacks what was lost, and the next start is told so. */
  readonly isSalvaged: boolean;
};

export type DiskFaults = {
  /** Longest time that a commit takes, ms. */
  slowMs: number;
  /** Bytes that the disk has; commits that need more fail. */
  capacityBytes: number;
  /** Commits fail, and some appear all the same. */
  failing: boolean;
};

export type Disk = {
  readonly faults: DiskFaults;
  readonly usedBytes: () => number;
  /** The records as they are on the disk. */
  readonly records: () => ReadonlyMap<string, Uint8Array>;
  /** Opens it for one life of a process. */
  readonly open: (life: Life) => Storage;
  /** Whether a commit is under way. */
  readonly isWriting: () => boolean;
  /** The process died, or the power went: what was being written is there whole or not at all. */
  readonly interrupt: () => void;
  /** The same, of a disk that does not write as it promises: the commit is there, and one of its records is torn. */
  readonly tear: () => void;
  readonly snapshot: () => Snapshot;
  readonly restore: (snapshot: Snapshot) => void;
  /** These are gone, as after a salvage: whoever opens it is told until it has committed. */
  readonly lose: (keys: readonly Uint8Array[]) => void;
  /** Flips a bit of a record. */
  readonly damage: (key: Uint8Array) => void;
};

export type DiskWatch = {
  /** A commit is on the disk now, whether its process learns of it or not. */
  readonly onWritten: (operations: readonly Operation[]) => void;
};

const SALVAGED: Damage = { what: 'file', key: null, detail: 'salvaged', quarantine: null };
const USUAL_MS = { least: 0.3, most: 6 } as const;
/** Between the last byte on the disk and the process that hears of it. */
const NOTICE_MS = 0.05;
const FAILED_APPEARS = 0.3;
const INTERRUPTED_APPEARS = 0.5;

export function createDisk(chance: Chance, watch: DiskWatch): Disk {
  const disk: MemoryDisk = createMemoryDisk();
  const faults: DiskFaults = { slowMs: 0, capacityBytes: Number.POSITIVE_INFINITY, failing: false };
  let isSalvaged = false;
  let writing: { readonly put: () => void; readonly operations: readonly Operation[] } | null = null;

  const grows = (operations: readonly Operation[]): number =>
    operations.reduce((sum, { key, value }) => {
      const before = disk.records.get(keyText(key))?.length ?? 0;
      return sum + (value?.length ?? 0) - before;
    }, 0);

  const fits = (operations: readonly Operation[]): boolean => {
    if (faults.capacityBytes === Number.POSITIVE_INFINITY) return true;
    const growth = grows(operations);
    return growth <= 0 || disk.usedBytes + growth <= faults.capacityBytes;
  };

  const flushFor = (life: Life) => (write: () => void, operations: readonly Operation[]) =>
    new Observable<never>((subscriber) => {
      const put = () => {
        write();
        isSalvaged = false;
        watch.onWritten(operations);
      };
      const latency = chance.between(USUAL_MS.least, USUAL_MS.most) + chance.next() * faults.slowMs;
      const { scheduler } = life.clock;
      writing = { put, operations };
      const timer = scheduler.schedule(() => {
        writing = null;
        if (!fits(operations)) {
          subscriber.error(new StorageError('full', 'The simulated disk is full.'));
          return;
        }
        if (faults.failing) {
          if (chance.chance(FAILED_APPEARS)) put();
          subscriber.error(new StorageError('io', 'The simulated disk fails.'));
          return;
        }
        put();
        timer.add(scheduler.schedule(() => subscriber.complete(), NOTICE_MS));
      }, latency);
      return timer;
    });

  const damage = (key: Uint8Array) => {
    // Values are shared with snapshots: the bit flips in this copy alone.
    const stored = disk.records.get(keyText(key));
    if (stored !== undefined) disk.records.set(keyText(key), new Uint8Array(stored));
    damageRecord(disk, key);
  };

  return {
    faults,
    usedBytes: () => disk.usedBytes,
    records: () => disk.records,
    open: (life) => {
      const storage = createMemoryStorage({ disk, flush: flushFor(life) });
      return isSalvaged ? { ...storage, damage$: merge(of(SALVAGED), storage.damage$) } : storage;
    },
    isWriting: () => writing !== null,
    interrupt: () => {
      const interrupted = writing;
      writing = null;
      if (interrupted !== null && chance.chance(INTERRUPTED_APPEARS)) interrupted.put();
    },
    tear: () => {
      const torn = writing;
      writing = null;
      if (torn === null) return;
      torn.put();
      const written = torn.operations.filter(({ value }) => value !== null);
      if (written.length > 0) damage(chance.pick(written).key);
    },
    snapshot: () => ({ records: new Map(disk.records), usedBytes: disk.usedBytes, isSalvaged }),
    restore: ({ records, usedBytes, isSalvaged: wasSalvaged }) => {
      disk.records.clear();
      for (const [key, value] of records) disk.records.set(key, value);
      disk.orderedKeys = null;
      disk.usedBytes = usedBytes;
      isSalvaged = wasSalvaged;
    },
    lose: (keys) => {
      for (const key of keys) {
        const stored = disk.records.get(keyText(key));
        if (stored === undefined) continue;
        disk.records.delete(keyText(key));
        disk.usedBytes -= footprintOf(key.length, stored.length);
      }
      disk.orderedKeys = null;
      isSalvaged = true;
    },
    damage,
  };
}
