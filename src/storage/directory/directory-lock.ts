/**
 * One process at a time on a data directory. Node has no flock, so SQLite (built into Node) holds the lock: an open
 * exclusive transaction on `lock.sqlite` is an fcntl lock of the kernel. It dies with its process however that ends,
 * holds between containers that share a volume (process ids play no part), and SQLite refuses a second holder within a
 * process.
 *
 * Nothing else may open `lock.sqlite`: closing any descriptor of it in this process would drop the lock.
 */
import { closeSync, existsSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StorageError } from '../storage.ts';
import { writeFailure } from '../write-failure.ts';

export type DirectoryLock = { readonly release: () => void };

const LOCK_FILE = 'lock.sqlite';
const SQLITE_BUSY = 5;
/** Without a journal file, for which a full disk has no room. */
const LOCK =
  'PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;';

/** Throws StorageError `locked` when another holds the directory. */
export function lockDirectory(directory: string): DirectoryLock {
  const path = join(directory, LOCK_FILE);
  createPrivateFile(path);
  const { DatabaseSync } = loadSqlite();
  const database = new DatabaseSync(path);
  try {
    database.exec(LOCK);
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) {
      throw new StorageError(
        'locked',
        `The data directory ${directory} is in use by another process. Stop that process, or give this one a directory of its own.`,
        { cause: error },
      );
    }
    throw new StorageError('io', `Cannot lock the data directory ${directory}: ${path} is unusable.`, {
      cause: error,
    });
  }
  return { release: () => database.close() };
}

/** Whether some process holds the directory. Takes the lock for a moment where none does. */
export function isDirectoryInUse(directory: string): boolean {
  if (!existsSync(join(directory, LOCK_FILE))) return false;
  try {
    lockDirectory(directory).release();
    return false;
  } catch (error) {
    return error instanceof StorageError && error.code === 'locked';
  }
}

/** SQLite would create it readable for all. `wx` never opens an existing file, see above. */
function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return;
    throw writeFailure(`Cannot create ${path}`, dirname(path), error);
  }
}

/** Loaded only where a lock is taken, and without the notice some Node 24 releases print that SQLite is new there. */
function loadSqlite(): typeof import('node:sqlite') {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}
