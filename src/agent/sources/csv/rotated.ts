/** Finds a file that was read before and has lost its name: renamed, or copied before it was cut; compressed too. */
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { gunzipPieces, isSameText } from './bytes/pieces.ts';
import { isSameFile, type ReplayPosition } from './position.ts';

/** Files of a folder that are looked at. */
const MAX_FILES = 1000;
const CHUNK_BYTES = 64 * 1024;
const COMPRESSED = /\.gz$/;

type Candidate = { readonly path: string; readonly size: number; readonly mtimeMs: number };

/**
 * The file of this position among those whose names begin as that of `path` does, and those that took its place in turn
 * (`x.csv.3`, `x.csv.2`, `x.csv.1`), in the order in which they were written; empty where there is none. Tells later,
 * never within the call.
 */
export function findRotated(
  path: string,
  position: ReplayPosition,
  done: (paths: readonly string[]) => void,
): void {
  const find = async () => {
    const candidates = await candidatesFor(path);
    for (const exactly of [true, false]) {
      for (const candidate of candidates) {
        if (await isOf(candidate, position, exactly)) return [candidate, ...after(candidate, candidates)];
      }
    }
    return [];
  };
  find().then(
    // Out of the promise, whose rejection a throw of the listener would be.
    (found) => setImmediate(() => done(found.map((one) => one.path))),
    () => setImmediate(() => done([])),
  );
}

/** The latest first. */
async function candidatesFor(path: string): Promise<Candidate[]> {
  const folder = dirname(path);
  const own = basename(path);
  const stem = basename(own, extname(own));
  const all = (await readdir(folder)).filter((name) => name !== own && name.startsWith(stem));
  // What is being compressed is there twice.
  const names = all.filter((name) => !COMPRESSED.test(name) || !all.includes(name.replace(COMPRESSED, '')));
  const found: Candidate[] = [];
  for (const name of names.sort().slice(0, MAX_FILES)) {
    const place = join(folder, name);
    const stats = await stat(place).catch(() => null);
    if (stats?.isFile() === true) found.push({ path: place, size: stats.size, mtimeMs: stats.mtimeMs });
  }
  return found.sort((a, b) => b.mtimeMs - a.mtimeMs);
}

/** `exactly`: also by the bytes before the place, which are elsewhere in a file that is not UTF-8. */
async function isOf({ path, size }: Candidate, position: ReplayPosition, exactly: boolean): Promise<boolean> {
  const { print, place } = position;
  if (COMPRESSED.test(path))
    return !exactly && print.bytes > 0 && isSameFile(print, await unpackedHead(path, print.bytes));
  if (print.bytes === 0 || size < print.bytes) return false;
  const file = await open(path).catch(() => null);
  if (file === null) return false;
  try {
    if (!isSameFile(print, await bytesAt(file, 0, print.bytes))) return false;
    if (!exactly || place === null) return true;
    const { offset, tail } = place;
    return isSameText(await bytesAt(file, offset - tail.length, tail.length), tail);
  } finally {
    await file.close();
  }
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, Math.max(0, position));
  return buffer.subarray(0, bytesRead);
}

/** Less where there is less, or where it cannot be unpacked. */
function unpackedHead(path: string, length: number): Promise<Buffer> {
  const pieces = gunzipPieces(path, CHUNK_BYTES);
  return new Promise((resolve) => {
    const more = () =>
      pieces.next((error, bytes) => {
        if (error === null && bytes !== null && pieces.head().length < length) more();
        else {
          pieces.close();
          resolve(pieces.head());
        }
      });
    more();
  });
}

/** Those written later whose names differ in their digits only, the oldest first. */
function after(first: Candidate, candidates: readonly Candidate[]): Candidate[] {
  const shape = ({ path }: Candidate) => basename(path).replace(COMPRESSED, '').replace(/\d+/g, '#');
  return candidates.filter((one) => one.mtimeMs > first.mtimeMs && shape(one) === shape(first)).reverse();
}
