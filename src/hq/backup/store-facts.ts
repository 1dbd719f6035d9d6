/** Which HQ and which life of its log a store is of, read from its directory while it is in use or not. */
import { openLmdbReader } from '../../storage/lmdb/lmdb-reader.ts';
import { readIdentity } from '../identity.ts';
import { type LogLife, type LogOffset, readLogLife, readLogOffset } from '../log-life.ts';

export type StoreFacts = {
  /** Which HQ it is; null in a store that no HQ of this version has opened, as `log`. */
  readonly hq: string | null;
  /** The last entry of the log. */
  readonly log: LogOffset | null;
  /** Null where it does not come from a backup. */
  readonly restored: LogLife['restored'] | null;
};

/** Throws StorageError where there is nothing to read. */
export function storeFactsIn(directory: string): StoreFacts {
  const reader = openLmdbReader(directory);
  try {
    return reader.read((one) => ({
      hq: readIdentity(one),
      log: readLogOffset(one),
      restored: readLogLife(one)?.restored ?? null,
    }));
  } finally {
    reader.close();
  }
}
