/** Telling a full disk from a failing one. */
import { statfsSync } from 'node:fs';
import { errorText } from '../platform/error-text.ts';

const EIO = 5;
const ENOSPC = 28;
const EDQUOT = 122;
const EFBIG = 27;
const FULL_CODES: ReadonlySet<unknown> = new Set([ENOSPC, EDQUOT, EFBIG, 'ENOSPC', 'EDQUOT', 'EFBIG']);
const FULL_MESSAGES = /no space left|quota exceeded|file too large|MDB_MAP_FULL/i;
/** Less than this is left after a write that the disk took only in part. */
const NO_ROOM_BYTES = 64 * 1024;

/** Whether the system itself said that there is no room, or no more for this file. */
export function isNoRoom(error: unknown): boolean {
  return FULL_CODES.has(codeOf(error));
}

/**
 * Whether a write in `directory` failed because there is no room. LMDB calls it an input/output error when the disk
 * took the first part of a write and then was full: with nothing left there, it is believed to be that.
 */
export function isDiskFull(error: unknown, directory: string): boolean {
  const message = errorText(error);
  return isNoRoom(error) || FULL_MESSAGES.test(message) || (codeOf(error) === EIO && !hasRoom(directory));
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function hasRoom(directory: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize >= NO_ROOM_BYTES;
  } catch {
    return true;
  }
}
