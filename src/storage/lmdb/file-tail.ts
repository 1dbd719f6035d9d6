/**
 * The end of LMDB's data file, grown before LMDB needs it: a disk without room is met here, in our own write, and not
 * by LMDB.
 *
 * LMDB 3.5.6 answers a failed write of a page by printing what it knows into a buffer that is too small (mdb.c,
 * mdb_page_flush), which every now and then ends the process. So before each commit there is room for all that it may
 * write: behind the last page in use, or among the pages that earlier commits have freed. A commit that mostly removes
 * is let through on less: a part of the tail is kept for it, since it is what makes room. What is not foreseen is a
 * file system that needs new blocks to overwrite old ones, and a device that fails; after the first such failure a
 * write of our own goes ahead of each commit until one succeeds.
 */
import { accessSync, closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { isNoRoom } from '../disk-full.ts';
import type { Operation } from '../overlay.ts';

export type PageUsage = {
  readonly pageBytes: number;
  /** Pages up to the last one that has ever been used. */
  readonly pages: number;
  /** Of these, the pages that hold the records, but for large values. */
  readonly index: number;
  /** Levels of these. */
  readonly depth: number;
  /** Of these, the pages that list which ones are free. */
  readonly listing: number;
  /** Of these, what later commits may use again. */
  readonly free: number;
};

export type FileTail = {
  /** Throws a system error (ENOSPC, EROFS, EIO …) when the commit of these could not be written. */
  readonly prepare: (operations: readonly Operation[]) => void;
  /** What became of a commit that was prepared, in LMDB. */
  readonly noteWritten: (success: boolean) => void;
  readonly close: () => void;
};

export type FileTailOptions = {
  /** The data file; it must exist. */
  readonly path: string;
  readonly usage: () => PageUsage;
  /** Called before the file grows. */
  readonly onGrowth?: () => void;
};

/** Kept for commits that make room: for two in a row, since what one frees only the one after the next can use. */
const REMOVAL_BYTES = 80 * 1024;
/** Grown by more than is needed, so that it need not be soon again: a share of the file, at most so much. */
const STEP_SHARE = 1 / 64;
const STEP_BYTES = 128 * 1024;
/** Of a page, from which on a value has pages of its own. */
const LARGE_SHARE = 0.49;
const PAGE_HEADER_BYTES = 24;
/** Key, node header and checksum of one record, at most. */
const RECORD_BYTES = 64;
const FIXED_PAGES = 4;

export function createFileTail({ path, usage, onGrowth }: FileTailOptions): FileTail {
  const fd = openSync(path, 'r+');
  /** Pages that were free before the last commit that got through, and how many of them it may have taken. */
  let last = { free: Number.POSITIVE_INFINITY, taken: 0 };
  let attempt = last;
  let hasFailed = false;

  const grow = (bytes: number, pageBytes: number) => {
    let end = fstatSync(fd).size;
    const stop = Math.ceil((end + bytes) / pageBytes) * pageBytes;
    while (end < stop) end += writeZeros(fd, end, stop - end);
  };
  const makeRoom = (operations: readonly Operation[], now: PageUsage) => {
    const { pages, pageBytes, free } = now;
    const tail = () => fstatSync(fd).size - pages * pageBytes;
    const { large, small } = pagesFor(operations, now);
    const needed = (large + small) * pageBytes;
    const freed = Math.min(free, Math.max(0, last.free - last.taken));
    attempt = { free, taken: large + small };
    const missing = needed + REMOVAL_BYTES - tail();
    if (missing <= 0) return;
    onGrowth?.();
    try {
      grow(missing + Math.min(STEP_BYTES, pages * pageBytes * STEP_SHARE), pageBytes);
    } catch (error) {
      // Room among the free pages is no help where the disk fails: LMDB's own writes would, too.
      if (!isNoRoom(error)) throw error;
      const removes = operations.filter(({ value }) => value === null).length;
      // A large value needs pages in a row, and of scattered ones not all can be used.
      const reusable = (large * pageBytes <= tail() ? freed : freed / 2) * pageBytes;
      const isEnough = tail() + reusable >= needed + (removes === 0 ? REMOVAL_BYTES : 0);
      if (!isEnough && removes < operations.length / 2) throw error;
    }
  };

  return {
    prepare: (operations) => {
      accessSync(path, constants.W_OK);
      const now = usage();
      makeRoom(operations, now);
      const end = now.pages * now.pageBytes;
      if (hasFailed && fstatSync(fd).size >= end + now.pageBytes) writeZeros(fd, end, now.pageBytes);
    },
    noteWritten: (success) => {
      hasFailed = !success;
      if (success) last = attempt;
    },
    close: () => closeSync(fd),
  };
}

/** Pages that a commit may write, at most or nearly so. */
function pagesFor(
  operations: readonly Operation[],
  { index, depth, listing, pageBytes }: PageUsage,
): { readonly large: number; readonly small: number } {
  let large = 0;
  let smallBytes = 0;
  for (const { value } of operations) {
    if (value === null) continue;
    const bytes = value.length + RECORD_BYTES;
    if (bytes > pageBytes * LARGE_SHARE) large += Math.ceil((bytes + PAGE_HEADER_BYTES) / pageBytes);
    else smallBytes += bytes;
  }
  const touched = Math.min(operations.length * depth, index);
  // Pages that are split are half full.
  const split = Math.ceil((2 * smallBytes) / pageBytes) + depth;
  return { large, small: touched + split + 2 * listing + FIXED_PAGES };
}

/** How many bytes were written. */
function writeZeros(fd: number, at: number, bytes: number): number {
  const zeros = Buffer.alloc(Math.min(bytes, STEP_BYTES));
  const written = writeSync(fd, zeros, 0, zeros.length, at);
  if (written === 0)
    throw Object.assign(new Error('EIO: the disk takes no more bytes, write'), { code: 'EIO' });
  return written;
}
