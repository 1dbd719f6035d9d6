/**
 * The only file that speaks to lmdb-js while a storage runs. What it holds to, and why (all measured):
 * - `overlappingSync: false`: otherwise a lost page cache under an unchanged boot id loses acked records;
 * - `eventTurnBatching: false`, and the inner `commitError` promise is always handled: otherwise a failed commit ends
 *   the process;
 * - one `batch` at a time: its operations are one transaction;
 * - what a killed reader (a backup, `holdfast journal`) held is given back before the file grows: LMDB would keep the
 *   freed pages of its snapshot from reuse for good;
 * - no iterator outlives a call and the read transaction is given back after each view: a held one keeps freed pages
 *   from reuse;
 * - `resetReadTxn` after every error: one bad page poisons the read transaction for all that follow;
 * - a write of a meta page that fails ends LMDB's environment for good: each further read fails (MDB_PANIC), and the
 *   next commit would take a lock that nobody gives back, on which `close` and the end of the process then hang. So
 *   after each failed commit we look whether that has happened, and open the file again before anything else is asked
 *   of it.
 *
 * Keys in LMDB are `1` + key, so that keys starting with `0` are left for the storage itself.
 */
import { closeSync, openSync, statSync } from 'node:fs';
import { open, type RootDatabase } from 'lmdb';
import { errorText } from '../../platform/error-text.ts';
import { openValue, sealValue } from '../checked-record.ts';
import type { Operation } from '../overlay.ts';
import { type Damage, type Entry, type RangeQuery, type Reader, StorageError } from '../storage.ts';
import { createFileTail, type PageUsage } from './file-tail.ts';
import { checkMetaPages } from './lmdb-file.ts';

export const DATA_FILE = 'data.mdb';
/** Address space only; LMDB grows the map by itself beyond it. */
const MAP_BYTES = 16 * 2 ** 30;
const MAX_LIMIT = 2 ** 31 - 1;
const META_PAGES = 2;
const USER_PREFIX = 1;
const OWN_PREFIX = 0;

export type Environment = {
  /** Runs `work` on one snapshot. */
  readonly view: <T>(work: (reader: Reader) => T) => T;
  /**
   * Resolves once durable. `own` changes records of the storage itself. Rejects with a StorageError `unusable` when
   * neither reading nor writing will ever work again; with what the system or LMDB says else.
   */
  readonly write: (operations: readonly Operation[], own?: readonly Operation[]) => Promise<void>;
  /** A record of the storage itself. */
  readonly own: (name: string) => Uint8Array | undefined;
  /** Bytes of the pages in use. */
  readonly usedBytes: () => number;
  /** Whether the file is still what its path names. */
  readonly isInPlace: () => boolean;
  /** Bytes of the file. */
  readonly fileBytes: () => number;
  readonly close: () => Promise<void>;
};

export type EnvironmentOptions = {
  /** The data file. */
  readonly path: string;
  readonly readOnly: boolean;
  readonly onDamage: (damage: Damage) => void;
};

/** Opens at once; throws what LMDB throws. A damaged file can end the process here: check it first. */
export function openLmdb(path: string, readOnly: boolean): RootDatabase<Buffer, Buffer> {
  return open<Buffer, Buffer>({
    path,
    noSubdir: true,
    readOnly,
    overlappingSync: false,
    eventTurnBatching: false,
    keyEncoding: 'binary',
    encoding: 'binary',
    mapSize: MAP_BYTES,
    // lmdb-js knows the option but does not declare it.
    ...({ permissionsMode: 0o600 } as object),
  });
}

/** See openLmdb. */
export function openEnvironment({ path, readOnly, onDamage }: EnvironmentOptions): Environment {
  let db = openLmdb(path, readOnly);
  const opened = identityOf(path);
  const isInPlace = () => identityOf(path) === opened;
  const reader = createReader(() => db, onDamage);
  const tail = readOnly
    ? null
    : createFileTail({
        path,
        usage: () => pageUsage(db.getStats()),
        onGrowth: () => void db.readerCheck(),
      });
  /** As last known. */
  let used = 0;
  const reopenIfStuck = async (cause: unknown) => {
    if (!isStuck(db)) return;
    try {
      await db.close();
      if (!isInPlace()) throw new Error('it is another file by now, or gone');
      checkForOpening(path);
      db = openLmdb(path, readOnly);
    } catch (error) {
      const detail = `A meta page could not be written (${errorText(cause)})`;
      throw new StorageError(
        'unusable',
        `${detail}, and ${path} could not be opened again: ${errorText(error)}. Restart the process.`,
        { cause: error },
      );
    }
  };
  return {
    view: (work) => {
      db.resetReadTxn();
      try {
        return work(reader);
      } finally {
        db.resetReadTxn();
      }
    },
    write: async (operations, own = []) => {
      let prepared = false;
      try {
        tail?.prepare(operations);
        prepared = true;
        await db.batch(() => {
          for (const { key, value } of operations) writeOne(db, prefixed(USER_PREFIX, key), value);
          for (const { key, value } of own) writeOne(db, prefixed(OWN_PREFIX, key), value);
        });
        tail?.noteWritten(true);
      } catch (error) {
        if (prepared) tail?.noteWritten(false);
        const cause = await causeOf(error);
        await reopenIfStuck(cause);
        throw cause;
      } finally {
        db.resetReadTxn();
      }
    },
    own: (name) => {
      const key = ownKey(name);
      const stored = db.getBinary(key);
      return stored === undefined ? undefined : openValue(key, stored);
    },
    usedBytes: () => {
      try {
        const { pages, free, listing, pageBytes } = pageUsage(db.getStats());
        used = (pages - free - listing - META_PAGES) * pageBytes;
      } catch (error) {
        db.resetReadTxn();
        if (!PANIC.test(errorText(error)) && !CLOSED.test(errorText(error))) throw error;
      }
      return used;
    },
    isInPlace,
    fileBytes: () => statSync(path, { throwIfNoEntry: false })?.size ?? 0,
    close: async () => {
      tail?.close();
      await db.close();
    },
  };
}

/** Of the file that the path names; null when there is none. */
function identityOf(path: string): string | null {
  const file = statSync(path, { bigint: true, throwIfNoEntry: false });
  return file === undefined ? null : `${file.dev}/${file.ino}`;
}

const PANIC = /MDB_PANIC/;
const CLOSED = /closed database/;

function isStuck(db: RootDatabase<Buffer, Buffer>): boolean {
  db.resetReadTxn();
  try {
    db.getBinary(ownKey('any'));
    return false;
  } catch (error) {
    return PANIC.test(errorText(error));
  }
}

/** Throws where opening the file could end the process. */
function checkForOpening(path: string): void {
  const fd = openSync(path, 'r');
  try {
    const check = checkMetaPages(fd);
    if (check.kind !== 'good') throw new Error(check.kind === 'suspect' ? check.detail : 'the file is empty');
  } finally {
    closeSync(fd);
  }
}

/** The record may be sound: it is the environment that cannot be read, or not until it has been opened again. */
function throwIfStuck(error: unknown): void {
  if (!PANIC.test(errorText(error)) && !CLOSED.test(errorText(error))) return;
  throw new StorageError('io', `Nothing can be read at the moment: ${errorText(error)}`, { cause: error });
}

function writeOne(db: RootDatabase<Buffer, Buffer>, key: Buffer, value: Uint8Array | null): void {
  // The promises belong to the batch; it alone reports failure.
  if (value === null) void db.remove(key);
  else void db.put(key, sealValue(key, value));
}

/** LMDB's own error stands behind the one that a failed commit rejects with; unhandled, it would end the process. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
  } catch (cause) {
    return cause;
  }
  return error;
}

function pageUsage(stats: unknown): PageUsage {
  const field = (of: unknown, name: string): number => {
    const value = (of as Record<string, unknown> | undefined)?.[name];
    return typeof value === 'number' ? value : 0;
  };
  const indexOf = (tree: unknown) => field(tree, 'treeBranchPageCount') + field(tree, 'treeLeafPageCount');
  const freeList = (stats as { readonly free?: unknown }).free;
  const listing = indexOf(freeList) + field(freeList, 'overflowPages');
  const index = indexOf(stats);
  const pages = field(stats, 'lastPageNumber') + 1;
  return {
    pageBytes: field(stats, 'pageSize'),
    pages,
    index,
    depth: field(stats, 'treeDepth'),
    listing,
    free: pages - META_PAGES - index - field(stats, 'overflowPages') - listing,
  };
}

function prefixed(prefix: number, key: Uint8Array): Buffer {
  const whole = Buffer.allocUnsafe(key.length + 1);
  whole[0] = prefix;
  whole.set(key, 1);
  return whole;
}

function createReader(
  current: () => RootDatabase<Buffer, Buffer>,
  onDamage: (damage: Damage) => void,
): Reader {
  const get = (key: Uint8Array): Uint8Array | undefined => {
    const db = current();
    const whole = prefixed(USER_PREFIX, key);
    let detail = 'checksum does not match';
    try {
      const stored = db.getBinary(whole);
      if (stored === undefined) return undefined;
      const value = openValue(whole, stored);
      if (value !== undefined) return value;
    } catch (error) {
      db.resetReadTxn();
      throwIfStuck(error);
      detail = `unreadable: ${errorText(error)}`;
    }
    onDamage({ what: 'record', key: new Uint8Array(key), detail, quarantine: null });
    return undefined;
  };
  const keys = ({ from, to, reverse, limit }: RangeQuery): Uint8Array[] => {
    const db = current();
    const found: Uint8Array[] = [];
    const [low, high] = [prefixed(USER_PREFIX, from), prefixed(USER_PREFIX, to)];
    if (Buffer.compare(low, high) >= 0 || limit <= 0) return found;
    const bounds =
      reverse === true
        ? { start: high, end: low, reverse: true, exclusiveStart: true, inclusiveEnd: true }
        : { start: low, end: high };
    try {
      for (const key of db.getKeys({ ...bounds, limit: Math.min(limit, MAX_LIMIT) }))
        found.push(key.subarray(1));
    } catch (error) {
      db.resetReadTxn();
      throwIfStuck(error);
      const detail = `a page of the index is unreadable: ${errorText(error)}`;
      onDamage({ what: 'file', key: found.at(-1) ?? null, detail, quarantine: null });
    }
    return found;
  };
  return {
    get,
    keys,
    range: (query) =>
      keys(query).flatMap((key): Entry[] => {
        const value = get(key);
        return value === undefined ? [] : [{ key, value }];
      }),
  };
}

/** Where LMDB has the record of the storage itself called `name`. */
export function ownKey(name: string): Buffer {
  return prefixed(OWN_PREFIX, Buffer.from(name));
}
