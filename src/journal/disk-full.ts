/** Telling a full disk from a failing one. */
import { statfsSync } from 'node:fs';

const EIO = 5;
const ENOSPC = 28;
const EDQUOT = 122;
const EFBIG = 27;
const FULL_CODES: ReadonlySet<unknown> = new Set([ENOSPC, EDQUOT, EFBIG, 'ENOSPC', 'EDQUOT', 'EFBIG']);
const FULL_MESSAGES = /no space left|quota exceeded|file too large|MDB_MAP_FULL/i;
/** Less than this is left after a write that the disk took only in part. */
const NO_ROOM_BYTES = 64 * 1024;

/**
 * Whether a write in `directory` failed because there is no room. LMDB calls it an input/output error when the disk took the first part
 * of a write and then was full: with nothing left there, it is believed to be that.
 */
export function isDiskFull(error: unknown, directory: string): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const message = error instanceof Error ? error.message : String(error);
  return FULL_CODES.has(code) || FULL_MESSAGES.test(message) || (code === EIO && !hasRoom(directory));
}

function hasRoom(directory: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize >= NO_ROOM_BYTES;
  } catch {
    return true;
  }
}
