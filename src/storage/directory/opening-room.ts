/**
 * Room for what LMDB writes as it opens, found before LMDB needs it: on a disk without room it ends the process.
 *
 * - Its lock file is mapped into memory with a hole in it, and filled through the map: no room is a SIGBUS. So the file
 *   is written out first.
 * - A new data file begins with two pages; where they cannot be written, lmdb-js 3.5.6 falls over the environment that
 *   it did not get (SIGSEGV). Besides, a journal that could be created but takes no commit is of no use. So there has
 *   to be room for a first commit, too.
 */
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeFailure } from '../write-failure.ts';
import { ROOM_FILE } from './data-directory.ts';

/** Of LMDB's lock file for 126 readers, lmdb-js's default. A larger one would do, too. */
const LOCK_FILE_BYTES = 8_272;
/**
 * Two pages, the first commit, and what file-tail.ts keeps behind it. Less than what the agent's reserve gives back.
 */
const NEW_FILE_BYTES = 192 * 1024;

/** `path`: the data file, not open in this process. Throws a StorageError. */
export function makeRoomToOpen(path: string): void {
  const directory = dirname(path);
  try {
    fill(`${path}-lock`, LOCK_FILE_BYTES);
  } catch (error) {
    throw writeFailure(`Cannot write ${path}-lock`, directory, error);
  }
  if (sizeOf(path) > 0) return;
  const probe = join(directory, ROOM_FILE);
  try {
    fill(probe, NEW_FILE_BYTES);
  } catch (error) {
    throw writeFailure(`Cannot create ${path}, which takes ${NEW_FILE_BYTES / 1024} KiB`, directory, error);
  } finally {
    rmSync(probe, { force: true });
  }
}

/** Appends only: a process that looks into the journal may have the file open. */
function fill(path: string, bytes: number): void {
  const missing = bytes - sizeOf(path);
  if (missing <= 0) return;
  const file = openSync(path, 'a', 0o600);
  try {
    for (let left = missing; left > 0; ) left -= writeSync(file, Buffer.alloc(left));
  } finally {
    closeSync(file);
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
