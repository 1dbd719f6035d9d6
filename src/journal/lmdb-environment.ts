/**
 * The only file that speaks to lmdb-js while a storage runs. What it holds to, and why (all measured):
 * - `overlappingSync: false`: otherwise a lost page cache under an unchanged boot id loses acked records;
 * - `eventTurnBatching: false`, and the inner `commitError` promise is always handled: otherwise a failed commit ends the process;
 * - one `batch` at a time: its operations are one transaction;
 * - no iterator outlives a call and the read transaction is given back after each view: a held one keeps freed pages from reuse;
 * - `resetReadTxn` after every error: one bad page poisons the read transaction for all that follow.
 *
 * Keys in LMDB are `1` + key, so that keys starting with `0` are left for the storage itself.
 */
import { statSync } from 'node:fs';
import { open, type RootDatabase } from 'lmdb';
import { openValue, sealValue } from './checked-record.ts';
import type { Operation } from './overlay.ts';
import type { Damage, Entry, RangeQuery, Reader } from './storage.ts';

export const DATA_FILE = 'data.mdb';
/** Address space only; LMDB grows the map by itself beyond it. */
const MAP_BYTES = 16 * 2 ** 30;
const MAX_LIMIT = 2 ** 31 - 1;
const USER_PREFIX = 1;
const OWN_PREFIX = 0;

export type Environment = {
  /** Runs `work` on one snapshot. */
  readonly view: <T>(work: (reader: Reader) => T) => T;
  /** Resolves once durable. `own` changes records of the storage itself. */
  readonly write: (operations: readonly Operation[], own?: readonly Operation[]) => Promise<void>;
  /** A record of the storage itself. */
  readonly own: (name: string) => Uint8Array | undefined;
  /** Bytes of the pages in use. */
  readonly usedBytes: () => number;
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
  const db = openLmdb(path, readOnly);
  const reader = createReader(db, onDamage);
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
      try {
        await db.batch(() => {
          for (const { key, value } of operations) writeOne(db, prefixed(USER_PREFIX, key), value);
          for (const { key, value } of own) writeOne(db, prefixed(OWN_PREFIX, key), value);
        });
      } catch (error) {
        throw await causeOf(error);
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
      const stats = treeStats(db.getStats());
      return stats.pages * stats.pageSize;
    },
    fileBytes: () => statSync(path).size,
    close: () => db.close(),
  };
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

function treeStats(stats: unknown): { pages: number; pageSize: number } {
  const field = (name: string): number => {
    const value = (stats as Record<string, unknown>)[name];
    return typeof value === 'number' ? value : 0;
  };
  return {
    pages: field('treeBranchPageCount') + field('treeLeafPageCount') + field('overflowPages'),
    pageSize: field('pageSize'),
  };
}

function prefixed(prefix: number, key: Uint8Array): Buffer {
  const whole = Buffer.allocUnsafe(key.length + 1);
  whole[0] = prefix;
  whole.set(key, 1);
  return whole;
}

function createReader(db: RootDatabase<Buffer, Buffer>, onDamage: (damage: Damage) => void): Reader {
  const get = (key: Uint8Array): Uint8Array | undefined => {
    const whole = prefixed(USER_PREFIX, key);
    let detail = 'checksum does not match';
    try {
      const stored = db.getBinary(whole);
      if (stored === undefined) return undefined;
      const value = openValue(whole, stored);
      if (value !== undefined) return value;
    } catch (error) {
      db.resetReadTxn();
      detail = `unreadable: ${messageOf(error)}`;
    }
    onDamage({ what: 'record', key: new Uint8Array(key), detail, quarantine: null });
    return undefined;
  };
  const keys = ({ from, to, reverse, limit }: RangeQuery): Uint8Array[] => {
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
      const detail = `a page of the index is unreadable: ${messageOf(error)}`;
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

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
