/**
 * A look into a data directory without taking it: works while another process uses it, and when none does. Reads
 * through LMDB's own reader table, so that pages in use are not reused; each `read` sees one snapshot and gives it
 * back.
 */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { errorText } from '../../platform/error-text.ts';
import { isDirectoryInUse } from '../directory/directory-lock.ts';
import { type Damage, type Reader, StorageError, type StorageStats } from '../storage.ts';
import { checkFile } from './lmdb-check.ts';
import { DATA_FILE, openEnvironment } from './lmdb-environment.ts';
import { checkMetaPages } from './lmdb-file.ts';

export type LmdbReader = {
  readonly read: <T>(work: (reader: Reader) => T) => T;
  readonly stats: () => StorageStats;
  /** Damage met so far. */
  readonly damage: readonly Damage[];
  readonly close: () => void;
};

/** Throws StorageError: `configuration` where there is nothing to read, `io` when the file cannot be opened safely. */
export function openLmdbReader(directory: string): LmdbReader {
  const path = join(directory, DATA_FILE);
  checkPath(directory, path);
  const damage: Damage[] = [];
  try {
    const environment = openEnvironment({ path, readOnly: true, onDamage: (one) => damage.push(one) });
    return {
      read: environment.view,
      stats: () => ({ usedBytes: environment.usedBytes(), fileBytes: environment.fileBytes() }),
      damage,
      close: () => void environment.close(),
    };
  } catch (error) {
    throw new StorageError('io', `Cannot read ${path}: ${errorText(error)}`, { cause: error });
  }
}

export function missingFile(directory: string, cause?: unknown): StorageError {
  return new StorageError(
    'configuration',
    `There is no journal in ${directory}: ${DATA_FILE} cannot be opened. Name a data directory of an agent or of HQ.`,
    { cause },
  );
}

function checkPath(directory: string, path: string): void {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw missingFile(directory, error);
  }
  try {
    const check = checkMetaPages(fd);
    // While its owner writes, pages change under a reader that is not LMDB's.
    const broken = check.kind === 'good' && !isDirectoryInUse(directory) && isBroken(fd);
    if (check.kind === 'good' && !broken) return;
    const detail =
      check.kind === 'absent'
        ? 'it is empty'
        : check.kind === 'good'
          ? 'a page is not what it should be'
          : check.detail;
    const outlook =
      check.kind === 'absent'
        ? 'Its owner begins again when it starts.'
        : 'Its owner moves it aside and salvages what it can when it starts.';
    throw new StorageError('io', `${path} is damaged: ${detail}. ${outlook}`);
  } finally {
    closeSync(fd);
  }
}

function isBroken(fd: number): boolean {
  return checkFile(fd, () => false).brokenPages > 0;
}
