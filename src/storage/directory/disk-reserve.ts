/**
 * `reserve.bin`: space that the storage holds back for the moment in which the disk is full.
 *
 * LMDB writes changed pages to new places, so that even a commit that only removes needs some free pages first: on a
 * disk that others have filled it could fail for ever. So the first commit that finds the disk full gives the reserve
 * up and is tried again; its owner sees that it is short, makes room within the file, and from then on
 * lives on the pages that are free there. The reserve is made again when the disk has room for it twice over.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../platform/clock.ts';
import { isDiskFull } from '../disk-full.ts';
import { StorageError } from '../storage.ts';
import { syncDirectory } from './data-directory.ts';

export type DiskReserve = {
  /** Whether it is missing. Makes it again when there is room; looks for that now and then. */
  readonly isSpent: () => boolean;
  /** Gives the space back to the disk; false when there was none to give. */
  readonly spend: () => boolean;
};

export type DiskReserveOptions = {
  readonly directory: string;
  /** 0: there is no reserve, and it is never missing. */
  readonly bytes: number;
  readonly clock: Pick<Clock, 'precise'>;
};

const RESERVE_FILE = 'reserve.bin';
const LOOK_MS = 1_000;
/** After an attempt that failed although there seemed to be room, as below a quota of the file system. */
const FAILED_LOOK_MS = 30_000;

export function createDiskReserve({ directory, bytes, clock }: DiskReserveOptions): DiskReserve {
  const path = join(directory, RESERVE_FILE);
  let isThere = bytes === 0 || sizeOf(path) >= bytes;
  let nextLook = Number.NEGATIVE_INFINITY;

  const restore = () => {
    const now = clock.precise();
    if (now < nextLook) return;
    nextLook = now + LOOK_MS;
    try {
      const { bavail, bsize } = statfsSync(directory);
      if (bavail * bsize < 2 * bytes) return;
      writeReserve(path, bytes);
      syncDirectory(directory);
      isThere = true;
    } catch {
      rmSync(`${path}.new`, { force: true });
      nextLook = now + FAILED_LOOK_MS;
    }
  };

  return {
    isSpent: () => {
      if (!isThere) restore();
      return !isThere;
    },
    spend: () => {
      if (bytes === 0 || !isThere) return false;
      isThere = false;
      nextLook = clock.precise() + LOOK_MS;
      rmSync(path, { force: true });
      return true;
    },
  };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Written out, since a file with holes holds nothing back. */
function writeReserve(path: string, bytes: number): void {
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    for (let written = 0; written < bytes; ) written += writeSync(file, Buffer.alloc(bytes - written, 0x48));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
}

/** Runs `work`, which writes a small file; where the disk is full, with the reserve given up. */
export function withReserve(directory: string, reserve: DiskReserve, work: () => void): void {
  try {
    work();
  } catch (error) {
    const cause = error instanceof StorageError ? error.cause : error;
    if (!isDiskFull(cause, directory) || !reserve.spend()) throw error;
    work();
  }
}
