/** What to tell of a file in the data directory that could not be written: what is wrong, where, and what to do. */
import { isDiskFull } from './disk-full.ts';
import { StorageError } from './storage.ts';

/** `what`: what was tried, with the path. An error that is one of ours already stays as it is. */
export function writeFailure(what: string, directory: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  const { code, message } = asSystemError(cause);
  if (isDiskFull(cause, directory)) {
    return new StorageError(
      'full',
      `${what}: the disk is full. Free some space on it, or choose another data directory.`,
      { cause },
    );
  }
  return new StorageError('io', `${what}: ${REMEDIES.get(code) ?? `${message}. Check the disk.`}`, { cause });
}

const NOT_PERMITTED =
  'this user may not write there. Give it the right to, or choose another data directory.';
const REMEDIES: ReadonlyMap<unknown, string> = new Map([
  ['EROFS', 'its file system is read-only. Make it writable, or choose another data directory.'],
  ['EACCES', NOT_PERMITTED],
  ['EPERM', NOT_PERMITTED],
]);

function asSystemError(cause: unknown): { readonly code: unknown; readonly message: string } {
  if (!(cause instanceof Error)) return { code: undefined, message: String(cause) };
  return { code: 'code' in cause ? cause.code : undefined, message: cause.message };
}
