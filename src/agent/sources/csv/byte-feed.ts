import { StringDecoder } from 'node:string_decoder';
import { lastBytes, TAIL_BYTES } from './bytes/pieces.ts';

/**
 * The bytes of a file as they arrive: taken as text, line by line, or passed over by those that read them as they are.
 */
export type ByteFeed = {
  /** Only once everything before has been taken. */
  readonly push: (more: Buffer) => void;
  /** What has arrived; bytes before `at` have been taken. */
  readonly bytes: () => Buffer;
  at: number;
  /** Behind the last line break that has arrived; at most `at` when there is none left. */
  readonly lastLineEnd: () => number;
  /** Whether no part of the line at `at` has been taken. */
  readonly isLineStart: () => boolean;
  /** Text up to the end of the line, or what has arrived of it; null when there is nothing. */
  readonly takeLine: () => string | null;
  /** Some text from where a line begins or goes on; may end anywhere. */
  readonly takeSome: () => string;
  /** What was left of a character that never became whole. */
  readonly takeRest: () => string;
  /** Bytes of the file before `at`. */
  readonly offset: () => number;
  /** The last of those, as a copy. */
  readonly tail: () => Buffer;
  /**
   * Forgets what has arrived: the next bytes are those from this offset on, where a line begins. `tail`: the bytes
   * before it.
   */
  readonly seek: (offset: number, tail: Buffer) => void;
};

const SOME_BYTES = 64 * 1024;
const NEWLINE = 10;
const RETURN = 13;

export function createByteFeed(): ByteFeed {
  let decoder = new StringDecoder('utf8');
  /** Of the first of `bytes`, in the file. */
  let origin = 0;
  /** Whether lines end in a carriage return alone; null until a line has ended. */
  let isReturnOnly: boolean | null = null;
  let bytes: Buffer = Buffer.alloc(0);
  let lastLineEnd = 0;
  let isLineStart = true;
  /** The last bytes before `bytes`, and of `bytes`. */
  let tailBefore: Buffer = Buffer.alloc(0);
  let tailOfAll: Buffer = Buffer.alloc(0);

  const take = (end: number): string => {
    const text = decoder.write(bytes.subarray(feed.at, end));
    if (end > feed.at) isLineStart = bytes[end - 1] === NEWLINE;
    feed.at = end;
    return text;
  };

  const feed: ByteFeed = {
    push: (more) => {
      if (feed.at < bytes.length) throw new Error('bytes that were not taken would be lost');
      isReturnOnly ??= endsInReturn(more);
      if (isReturnOnly === true) turnIntoNewlines(more);
      origin += bytes.length;
      bytes = more;
      feed.at = 0;
      lastLineEnd = bytes.lastIndexOf(NEWLINE) + 1;
      tailBefore = tailOfAll;
      tailOfAll = lastBytes(tailBefore, bytes);
    },
    bytes: () => bytes,
    at: 0,
    lastLineEnd: () => lastLineEnd,
    isLineStart: () => isLineStart,
    takeLine: () => {
      if (feed.at >= bytes.length) return null;
      const newline = bytes.indexOf(NEWLINE, feed.at);
      return take(newline < 0 ? bytes.length : newline + 1);
    },
    takeSome: () => take(Math.min(bytes.length, feed.at + SOME_BYTES)),
    takeRest: () => decoder.end(),
    offset: () => origin + feed.at,
    // Bytes that have all been taken may be others by now.
    tail: () =>
      feed.at === bytes.length
        ? tailOfAll
        : lastBytes(tailBefore, bytes.subarray(Math.max(0, feed.at - TAIL_BYTES), feed.at)),
    seek: (offset, tail) => {
      decoder = new StringDecoder('utf8');
      bytes = Buffer.alloc(0);
      tailOfAll = tail;
      origin = offset;
      feed.at = 0;
      lastLineEnd = 0;
      isLineStart = true;
    },
  };
  return feed;
}

/** Null: no line has ended in these bytes, or only its first half has come. */
function endsInReturn(bytes: Buffer): boolean | null {
  if (bytes.includes(NEWLINE)) return false;
  const at = bytes.indexOf(RETURN);
  return at >= 0 && at < bytes.length - 1 ? true : null;
}

function turnIntoNewlines(bytes: Buffer): void {
  for (let at = bytes.indexOf(RETURN); at >= 0; at = bytes.indexOf(RETURN, at + 1)) bytes[at] = NEWLINE;
}
