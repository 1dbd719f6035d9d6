/** Bytes one piece after another, each when it is asked for. */
import { close, createReadStream, fstat, open, read, type Stats } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { CsvError } from '../csv-error.ts';

export type Pieces = {
  /** One at a time; the answer comes later, never within the call. `null`: there are none left for now. */
  readonly next: (done: (error: Error | null, bytes: Buffer | null) => void) => void;
  /** Nothing is answered any more. */
  readonly close: () => void;
};

/** Pieces from the top of something. */
export type HeadedPieces = Pieces & {
  /** The first bytes, as far as they have been read. */
  readonly head: () => Buffer;
};

export type FilePieces = HeadedPieces & {
  /** Of the open file, whatever its name stands for now. */
  readonly stats: (done: (error: Error | null, stats: Stats) => void) => void;
  /** Bytes of the file before the next piece. */
  readonly position: () => number;
  /** Whether the last bytes before `position` are still those that were read. */
  readonly keepsWhatWasRead: (done: (isSo: boolean) => void) => void;
};

/** The file does not hold what a position in it says. */
export class OtherContents extends Error {
  override readonly name = 'OtherContents';
}

/** Bytes that tell one file from another, rows included: files of a set have one header. */
export const HEAD_BYTES = 64 * 1024;
/** Bytes before a place that tell whether it is that place. */
export const TAIL_BYTES = 32;

const NOTHING: Buffer = Buffer.alloc(0);
const NEWLINE = 10;
const RETURN = 13;

/** The last bytes of two pieces, as a copy. */
export function lastBytes(before: Buffer, more: Buffer): Buffer {
  return more.length >= TAIL_BYTES
    ? Buffer.from(more.subarray(-TAIL_BYTES))
    : Buffer.concat([before, more]).subarray(-TAIL_BYTES);
}

/**
 * A file as it stands, from a place on, into the same memory: a piece is good until the next is asked for. `head`: what
 * is known of it.
 */
export function filePieces(
  path: string,
  chunkBytes: number,
  { from, head: known }: { readonly from: number; readonly head: Buffer },
): FilePieces {
  const memory = Buffer.allocUnsafeSlow(chunkBytes);
  let position = from;
  let head = known;
  let tail: Buffer = NOTHING;
  let file: number | null = null;
  /** The file is not to be closed under a read. */
  let isBusy = true;
  let isClosed = false;
  let failure: Error | null = null;
  const waiting: (() => void)[] = [];

  const closeFile = () => {
    if (file !== null && !isBusy) {
      close(file, () => {});
      file = null;
    }
  };
  const begin = (error: Error | null, opened: number | null) => {
    isBusy = false;
    failure = error;
    file = opened;
    if (error !== null || isClosed) closeFile();
    if (!isClosed) for (const work of waiting) work();
  };
  open(path, 'r', (error, opened) => {
    if (error !== null) begin(error, null);
    else fstat(opened, (bad, stats) => begin(bad ?? notToBeReplayed(stats), opened));
  });
  const whenOpen = (work: () => void) => {
    if (isBusy && file === null) waiting.push(work);
    else work();
  };

  return {
    position: () => position,
    head: () => head,
    next: (done) =>
      whenOpen(() => {
        if (failure !== null) {
          done(failure, null);
          return;
        }
        if (file === null) return;
        isBusy = true;
        // What cannot be read from a place of one's choice, such as a pipe, is read as it comes.
        read(file, memory, 0, chunkBytes, from === 0 ? null : position, (error, length) => {
          isBusy = false;
          const bytes = memory.subarray(0, length);
          if (head.length < HEAD_BYTES && position <= head.length)
            head = Buffer.concat([head, bytes.subarray(head.length - position)]).subarray(0, HEAD_BYTES);
          position += length;
          tail = lastBytes(tail, bytes);
          if (isClosed) closeFile();
          else if (error !== null) done(error, null);
          else done(null, length === 0 ? null : bytes);
        });
      }),
    stats: (done) =>
      whenOpen(() => {
        if (file === null) return;
        fstat(file, (error, stats) => {
          if (!isClosed) done(error, stats);
        });
      }),
    keepsWhatWasRead: (done) =>
      whenOpen(() => {
        const { length } = tail;
        if (file === null || length === 0) {
          done(true);
          return;
        }
        isBusy = true;
        read(file, Buffer.alloc(length), 0, length, position - length, (error, found, bytes) => {
          isBusy = false;
          if (isClosed) closeFile();
          else done(error !== null || (found === length && tail.equals(bytes)));
        });
      }),
    close: () => {
      isClosed = true;
      closeFile();
    },
  };
}

/** A device such as /dev/zero would never end; a pipe is read as it comes. */
function notToBeReplayed(stats: Stats): CsvError | null {
  if (stats.isDirectory()) return new CsvError('it is a directory: give the file in it');
  return stats.isCharacterDevice() || stats.isBlockDevice()
    ? new CsvError('it is a device, not a file')
    : null;
}

/** What zlib says of its data, in words that help. */
function unpackingError(error: unknown): Error {
  const { code, message } = error instanceof Error && 'code' in error ? error : { code: null, message: '' };
  if (code === 'Z_BUF_ERROR')
    return new CsvError(
      'it is compressed (gzip) and ends too early: it was cut off, or is still being written',
      {
        cause: error,
      },
    );
  if (code === 'Z_DATA_ERROR')
    return new CsvError(`it is compressed (gzip) and damaged (${message}): take another copy`, {
      cause: error,
    });
  return error instanceof Error ? error : new Error(String(error));
}

/** What a compressed file holds. */
export function gunzipPieces(path: string, chunkBytes: number): HeadedPieces {
  let head = NOTHING;
  const source = createReadStream(path);
  const unpacked = createGunzip({ chunkSize: chunkBytes });
  source.on('error', (error) => unpacked.destroy(error));
  source.pipe(unpacked);
  const pieces = unpacked[Symbol.asyncIterator]();
  let isClosed = false;
  return {
    next: (done) => {
      const tell = (error: Error | null, bytes: Buffer | null) => {
        // Out of the promise, whose rejection a throw of the listener would be.
        if (bytes !== null && head.length < HEAD_BYTES)
          head = Buffer.concat([head, bytes]).subarray(0, HEAD_BYTES);
        if (!isClosed) setImmediate(done, error, bytes);
      };
      pieces.next().then(
        ({ done: isEnd, value }) => tell(null, isEnd === true ? null : (value as Buffer)),
        (error: unknown) => tell(unpackingError(error), null),
      );
    },
    head: () => head,
    close: () => {
      isClosed = true;
      source.destroy();
      unpacked.destroy();
    },
  };
}

/** The same behind a piece that has been taken already. */
export function startingWith(bytes: Buffer, pieces: Pieces): Pieces {
  let isFirst = true;
  let isClosed = false;
  return {
    next: (done) => {
      if (!isFirst) {
        pieces.next(done);
        return;
      }
      isFirst = false;
      setImmediate(() => {
        if (!isClosed) done(null, bytes);
      });
    },
    close: () => {
      isClosed = true;
      pieces.close();
    },
  };
}

/** Whether text in this encoding can be read. */
export function isEncoding(label: string): boolean {
  try {
    return new TextDecoder(label).encoding !== '';
  } catch {
    return false;
  }
}

/** Another encoding as UTF-8. */
export function utf8Pieces(pieces: Pieces, label: string): Pieces {
  const decoder = new TextDecoder(label);
  const next: Pieces['next'] = (done) =>
    pieces.next((error, bytes) => {
      if (error !== null || bytes === null) done(error, null);
      else {
        const text = decoder.decode(bytes, { stream: true });
        if (text === '') next(done);
        else done(null, Buffer.from(text));
      }
    });
  return { next, close: pieces.close };
}

/**
 * The same without its first `count` bytes, the last of which are `tail` whatever its lines end in; an error
 * ({@link OtherContents}) where they are not.
 */
export function behind(pieces: Pieces, count: number, tail: Buffer): Pieces {
  let left = count;
  let passed: Buffer = NOTHING;
  const next: Pieces['next'] = (done) =>
    pieces.next((error, bytes) => {
      if (error !== null || left === 0) {
        done(error, bytes);
        return;
      }
      if (bytes === null) {
        done(new OtherContents('it is shorter than what was read of it before'), null);
        return;
      }
      const begin = bytes.subarray(0, Math.min(left, bytes.length));
      left -= begin.length;
      passed = lastBytes(passed, begin);
      const rest = bytes.subarray(begin.length);
      if (left === 0 && !isSameText(passed, tail))
        done(new OtherContents('it holds something else than what was read of it before'), null);
      else if (rest.length === 0) next(done);
      else done(null, rest);
    });
  return { next, close: pieces.close };
}

/** Compares bytes that may have had their line ends changed. */
export function isSameText(passed: Buffer, tail: Buffer): boolean {
  const end = passed.subarray(Math.max(0, passed.length - tail.length));
  return end.length === tail.length && end.every((byte, index) => plain(byte) === plain(tail[index] ?? 0));
}

function plain(byte: number): number {
  return byte === RETURN ? NEWLINE : byte;
}
