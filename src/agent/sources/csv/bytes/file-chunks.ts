/**
 * A file from its top as UTF-8, piece by piece, whatever it is written in: compressed (gzip) and UTF-16 are known by
 * their first bytes.
 */
import { stat } from 'node:fs';
import { CsvError } from '../csv-error.ts';
import {
  behind,
  type FilePieces,
  filePieces,
  gunzipPieces,
  type HeadedPieces,
  OtherContents,
  type Pieces,
  startingWith,
  utf8Pieces,
} from './pieces.ts';

export type FileChunks = {
  /** Asks for the next piece, if none is on its way. It comes later, never within the call. */
  readonly pull: () => void;
  /** Goes on at another place of the text, once some of it has come. `tail`: the bytes before it. */
  readonly seek: (offset: number, tail: Buffer) => void;
  /** The first bytes of the file, unpacked, as far as they have been read. */
  readonly head: () => Buffer;
  readonly isCompressed: () => boolean;
  /** What has become of the file of this name since it was opened. */
  readonly look: (done: (change: FileChange) => void) => void;
  /** Nothing is told any more. */
  readonly close: () => void;
};

/**
 * `grown`: there may be more to read. `cut`: it has lost what was read of it, or holds something else in its place.
 * `replaced`: its name stands for another file.
 */
export type FileChange = 'none' | 'grown' | 'cut' | 'replaced';

export type FileChunksOptions = {
  readonly path: string;
  /** The name that is looked at for another file. Default: `path`. */
  readonly named?: string;
  /** Undefined: found out. */
  readonly encoding?: string | undefined;
  /** Of one piece at most. */
  readonly chunkBytes: number;
  /** Good until the next `pull`; may be changed. */
  readonly onChunk: (bytes: Buffer) => void;
  /** No more for now: a later `pull` finds what has come since. */
  readonly onEnd: () => void;
  /** What stands before the place that was sought is not what was said. */
  readonly onAstray: (reason: string) => void;
  readonly onError: (error: Error) => void;
};

/** What is known of the file by the pieces that have come. */
type Known =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'packing'; readonly isCompressed: boolean }
  | { readonly kind: 'all'; readonly isCompressed: boolean; readonly text: string };

const NOTHING_READ = Buffer.alloc(0);

export function openFileChunks(options: FileChunksOptions): FileChunks {
  const { path, named = path, encoding, chunkBytes, onChunk, onEnd, onAstray, onError } = options;
  let file = filePieces(path, chunkBytes, { from: 0, head: NOTHING_READ });
  let pieces: Pieces = file;
  /** What the first bytes of the file are of. */
  let headed: HeadedPieces = file;
  let known: Known = { kind: 'nothing' };
  let isClosed = false;

  /** Those that have been asked and have not answered. */
  let asked: Pieces | null = null;
  const pull = () => {
    const from = pieces;
    if (isClosed || asked === from) return;
    asked = from;
    from.next((error, bytes) => {
      if (isClosed || from !== pieces) return;
      asked = null;
      if (error instanceof OtherContents) onAstray(error.message);
      else if (error !== null) onError(error);
      else if (bytes === null) onEnd();
      else take(bytes);
    });
  };
  const take = (bytes: Buffer) => {
    if (known.kind === 'nothing') {
      const foreign = formatOf(bytes);
      if (foreign !== null) {
        onError(new CsvError(`it is ${foreign}`));
        return;
      }
      known = { kind: 'packing', isCompressed: isGzip(bytes) };
      if (known.isCompressed) {
        headed = gunzipPieces(path, chunkBytes);
        pieces = headed;
        pull();
        return;
      }
    }
    if (known.kind === 'packing') {
      const text = encoding === undefined ? textEncodingOf(bytes) : new TextDecoder(encoding).encoding;
      known = { kind: 'all', isCompressed: known.isCompressed, text };
      if (text !== 'utf-8') {
        pieces = utf8Pieces(startingWith(bytes, pieces), text);
        pull();
        return;
      }
    }
    onChunk(bytes);
  };
  const seek = (offset: number, tail: Buffer) => {
    if (known.kind !== 'all') throw new Error('nothing of the file has been read');
    const { isCompressed, text } = known;
    const isPlain = !isCompressed && text === 'utf-8';
    const head = headed.head();
    pieces.close();
    file.close();
    const from = isPlain ? Math.max(0, offset - tail.length) : 0;
    file = filePieces(path, chunkBytes, { from, head: isCompressed ? NOTHING_READ : head });
    const unpacked = isCompressed ? gunzipPieces(path, chunkBytes) : file;
    headed = { ...unpacked, head: () => (isCompressed ? head : file.head()) };
    const decoded = text === 'utf-8' ? unpacked : utf8Pieces(unpacked, text);
    pieces = behind(decoded, offset - from, tail);
  };

  return {
    pull,
    seek,
    head: () => headed.head(),
    isCompressed: () => known.kind !== 'nothing' && known.isCompressed,
    look: (done) =>
      lookAt(named, file, (change) => {
        if (!isClosed) done(change);
      }),
    close: () => {
      isClosed = true;
      pieces.close();
      file.close();
    },
  };
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** What people take for a CSV file, by the first bytes, and what to do with it. */
const FORMATS: readonly (readonly [string, string])[] = [
  ['504b0304', 'a ZIP archive or a workbook: unpack it, or save it as CSV'],
  ['d0cf11e0', 'a workbook: save it as CSV'],
  ['fd377a585a00', 'compressed by xz: unpack it, or use gzip'],
  ['28b52ffd', 'compressed by zstd: unpack it, or use gzip'],
  ['425a68', 'compressed by bzip2: unpack it, or use gzip'],
  ['50415231', 'a Parquet file: save it as CSV'],
];

function formatOf(bytes: Buffer): string | null {
  const begin = bytes.toString('hex', 0, 8);
  return FORMATS.find(([magic]) => begin.startsWith(magic))?.[1] ?? null;
}

/** By its mark, or by the half of a character that is zero in what most files begin with. */
function textEncodingOf(bytes: Buffer): string {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (second === 0 && first !== 0)) return 'utf-16le';
  return (first === 0xfe && second === 0xff) || (first === 0 && second !== 0) ? 'utf-16be' : 'utf-8';
}

function lookAt(path: string, file: FilePieces, done: (change: FileChange) => void): void {
  file.stats((error, opened) => {
    if (error !== null) {
      done('replaced');
      return;
    }
    stat(path, (problem, named) => {
      // Between two names, as while a file is rotated.
      if (problem !== null) done('none');
      else if (named.ino !== opened.ino || named.dev !== opened.dev) done('replaced');
      else if (opened.size < file.position()) done('cut');
      else {
        const kept = opened.size > file.position() ? 'grown' : 'none';
        file.keepsWhatWasRead((isSo) => done(isSo ? kept : 'cut'));
      }
    });
  });
}
