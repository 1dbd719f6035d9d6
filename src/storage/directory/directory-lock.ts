/**
 * One process at a time on a data directory. Two locks of the kernel hold it, and both die with their process however
 * that ends, and hold between containers that share a volume (process ids play no part):
 *
 * - flock(2) on the directory itself, which lives as long as the directory. Node has no flock, so the program `flock`
 *   (util-linux, busybox) takes the lock on a descriptor that it inherits; the lock stays with the descriptor. Where
 *   there is no such program, or the file system knows no such locks, the other one has to do.
 * - an exclusive transaction of SQLite (built into Node) on `lock.sqlite`. SQLite refuses a second holder within a
 *   process. Somebody may delete the file: its holder notices before its next commit, and takes the new one.
 *
 * Nothing else may open `lock.sqlite`: closing any descriptor of it in this process would drop the lock.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { StorageError } from '../storage.ts';
import { writeFailure } from '../write-failure.ts';

export type DirectoryLock = {
  /** Sees that the directory is still held. Throws StorageError `unusable` when another process has taken it. */
  readonly keep: () => void;
  readonly release: () => void;
};

const LOCK_FILE = 'lock.sqlite';
const SQLITE_BUSY = 5;
/** Without a journal file, for which a full disk has no room. */
const LOCK =
  'PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;';

/** Throws StorageError `locked` when another holds the directory. */
export function lockDirectory(directory: string): DirectoryLock {
  const path = join(directory, LOCK_FILE);
  const letGo = holdDirectory(directory);
  let file: LockFile;
  try {
    file = lockFile(directory);
  } catch (error) {
    letGo();
    throw error;
  }
  return {
    keep: () => {
      if (inodeOf(path) === file.inode) return;
      try {
        const again = lockFile(directory);
        file.database.close();
        file = again;
      } catch (error) {
        throw new StorageError(
          'unusable',
          `${path} was removed while it was in use, and cannot be taken again: another process may use the data directory ${directory} now. Nothing more is written to it. Stop both, and start one.`,
          { cause: error },
        );
      }
    },
    release: () => {
      file.database.close();
      letGo();
    },
  };
}

/** Whether some process holds the directory. Takes the locks that are there for a moment where none does. */
export function isDirectoryInUse(directory: string): boolean {
  try {
    if (existsSync(join(directory, LOCK_FILE))) lockDirectory(directory).release();
    else holdDirectory(directory)();
    return false;
  } catch (error) {
    return error instanceof StorageError && error.code === 'locked';
  }
}

function lockedError(directory: string, cause?: unknown): StorageError {
  return new StorageError(
    'locked',
    `The data directory ${directory} is in use by another process. Stop that process, or give this one a directory of its own.`,
    { cause },
  );
}

/** Takes flock(2) on the directory where that can be done; returns what gives it back. Throws when another has it. */
function holdDirectory(directory: string): () => void {
  const fd = openSync(directory, 'r');
  const { error, status, stderr } = spawnSync('flock', ['-n', '3'], {
    stdio: ['ignore', 'ignore', 'pipe', fd],
  });
  if (error === undefined && status === 0) return () => closeSync(fd);
  closeSync(fd);
  // Silent: another holds it. What cannot be done at all it says.
  if (error === undefined && status === 1 && stderr.length === 0) throw lockedError(directory);
  return () => {};
}

type LockFile = { readonly database: DatabaseSync; readonly inode: string | null };

function lockFile(directory: string): LockFile {
  const path = join(directory, LOCK_FILE);
  createPrivateFile(path);
  const { DatabaseSync } = loadSqlite();
  const database = new DatabaseSync(path);
  try {
    database.exec(LOCK);
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY)
      throw lockedError(directory, error);
    throw new StorageError('io', `Cannot lock the data directory ${directory}: ${path} is unusable.`, {
      cause: error,
    });
  }
  return { database, inode: inodeOf(path) };
}

/** What tells the file from another of its name. */
function inodeOf(path: string): string | null {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stats === undefined ? null : `${stats.dev}:${stats.ino}`;
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
