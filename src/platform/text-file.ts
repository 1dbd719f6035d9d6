/**
 * A file that somebody names in the settings, read as a whole. It may turn out to be anything: a directory, a device
 * that never ends, a pipe that nobody writes to, a disk image. None of them may hold a start up, or fill the memory.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { errorText } from './error-text.ts';

export type TextFile =
  | { readonly ok: true; readonly text: string }
  /** `problem` goes on after the file's name and a colon. */
  | { readonly ok: false; readonly problem: string; readonly cause?: unknown };

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file: a part of its path is no directory',
  EACCES: 'this user may not read it',
  ELOOP: 'its links lead round in a circle',
  ENXIO: noFile('a socket'),
};

/** Of UTF-8, with or without a byte order mark. `maxBytes`: more than any such file has. */
export function readTextFile(path: string, maxBytes: number): TextFile {
  let file: number;
  try {
    // A pipe would make a blocking open wait for its writer.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (cause) {
    return unreadable(cause);
  }
  try {
    const problem = problemOf(fstatSync(file), maxBytes);
    return problem === null ? readOpened(file, maxBytes) : { ok: false, problem };
  } catch (cause) {
    return unreadable(cause);
  } finally {
    closeSync(file);
  }
}

function problemOf(stats: Stats, maxBytes: number): string | null {
  if (stats.isDirectory()) return 'it is a directory; give the file in it';
  if (stats.isFIFO()) return noFile('a pipe');
  if (!stats.isFile()) return noFile('a device');
  return stats.size > maxBytes ? tooLarge(maxBytes) : null;
}

function noFile(kind: string): string {
  return `it is ${kind}, not a file; write its content to one`;
}

const tooLarge = (maxBytes: number): string =>
  `it is larger than ${maxBytes / 1024} KiB, which no such file is; is it the right one?`;

/** Some files, as of /proc, say that they have no bytes: it is read until it ends. */
function readOpened(file: number, maxBytes: number): TextFile {
  const bytes = Buffer.alloc(maxBytes + 1);
  let length = 0;
  for (;;) {
    const count = readSync(file, bytes, length, bytes.length - length, null);
    if (count === 0) break;
    length += count;
    if (length > maxBytes) return { ok: false, problem: tooLarge(maxBytes) };
  }
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length)) };
  } catch (cause) {
    return { ok: false, problem: 'it is no text in UTF-8; save it as such', cause };
  }
}

function unreadable(cause: unknown): TextFile {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return { ok: false, problem: REASONS[code] ?? errorText(cause), cause };
}
