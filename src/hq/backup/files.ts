/** What making, checking and restoring a backup does with files. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { errorText } from '../../platform/error-text.ts';
import { isDirectoryInUse, lockDirectory } from '../../storage/directory/directory-lock.ts';
import { isDiskFull } from '../../storage/disk-full.ts';
import { StorageError } from '../../storage/storage.ts';
import { BackupError } from './backup-error.ts';

/** Ending of the name of a folder that is not complete. */
export const UNFINISHED = '.holdfast-unfinished';
const CHUNK_BYTES = 2 ** 20;

export type Progress = {
  readonly phase: 'copy' | 'check' | 'sum';
  readonly bytes: number;
  /** What it will be in the end, roughly. */
  readonly of: number;
};
export type OnProgress = (progress: Progress) => void;

/** SHA-256 of a file in hex, read through the disk's own cache. */
export async function sumFile(path: string, onBytes: (bytes: number) => void = () => {}): Promise<string> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    hash.update(chunk);
    bytes += chunk.length;
    onBytes(bytes);
  }
  return hash.digest('hex');
}

export function sync(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Throws BackupError unless the disk of `folder` has so much room. */
export function expectRoom(folder: string, bytes: number, what: string): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= bytes) return;
  throw new BackupError(
    'full',
    `${what} takes about ${inMegabytes(bytes)}, and the disk of ${folder} has ${inMegabytes(bavail * bsize)} left. Free some space, or choose another disk.`,
  );
}

const inMegabytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;

export type UnfinishedFolder = {
  readonly path: string;
  /** Lets others have it; once. */
  readonly release: () => void;
};

/**
 * A folder to work in, `path` with the ending of what is not complete. What a process has left there that was killed is
 * removed, here and under the other names in the folder around it. Throws BackupError where another process works.
 */
export function beginFolder(path: string): UnfinishedFolder {
  const around = dirname(resolve(path));
  for (const name of readdirSync(around)) {
    const left = join(around, name);
    if (name.endsWith(UNFINISHED) && statSync(left).isDirectory() && !isDirectoryInUse(left))
      rmSync(left, { recursive: true, force: true });
  }
  const unfinished = `${path}${UNFINISHED}`;
  try {
    mkdirSync(unfinished, { mode: 0o700 });
    const { release } = lockDirectory(unfinished);
    let held = true;
    return {
      path: unfinished,
      release: () => {
        if (held) release();
        held = false;
      },
    };
  } catch (error) {
    throw asBackupError(error, `Cannot work in ${unfinished}`, around);
  }
}

/** `what`: what was tried. Errors of ours stay what they are. */
export function asBackupError(error: unknown, what: string, folder: string): BackupError {
  if (error instanceof BackupError) return error;
  if (error instanceof StorageError && error.code !== 'io')
    return new BackupError(error.code === 'full' ? 'full' : 'refused', error.message, { cause: error });
  if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
    return new BackupError('refused', `${what}: another process makes this one now.`, { cause: error });
  return isDiskFull(error, folder)
    ? new BackupError('full', `${what}: the disk is full. Free some space.`, { cause: error })
    : new BackupError('io', `${what}: ${errorText(error)}`, { cause: error });
}
