/** Reads a file from its top, piece by piece, into the same memory. */
import { close, open, read } from 'node:fs';

export type FileChunks = {
  /** Asks for the next piece; one at a time. It comes later, never within the call. */
  readonly pull: () => void;
  /** Nothing is told any more. */
  readonly close: () => void;
};

export type FileChunksOptions = {
  readonly path: string;
  /** Of one piece at most. */
  readonly chunkBytes: number;
  /** Good until the next `pull`. */
  readonly onChunk: (bytes: Buffer) => void;
  readonly onEnd: () => void;
  readonly onError: (error: Error) => void;
};

export function openFileChunks({ path, chunkBytes, onChunk, onEnd, onError }: FileChunksOptions): FileChunks {
  const memory = Buffer.allocUnsafeSlow(chunkBytes);
  let file: number | null = null;
  /** The file is not to be closed under a read. */
  let reading = true;
  let pulled = false;
  let closed = false;

  const closeFile = () => {
    if (file !== null && !reading) close(file, () => {});
    if (!reading) file = null;
  };
  const fail = (error: Error) => {
    if (!closed) onError(error);
  };
  const pull = () => {
    if (closed) return;
    if (file === null) pulled = true;
    if (file === null || reading) return;
    reading = true;
    read(file, memory, 0, chunkBytes, null, (error, length) => {
      reading = false;
      if (closed) closeFile();
      else if (error !== null) fail(error);
      else if (length === 0) onEnd();
      else onChunk(memory.subarray(0, length));
    });
  };

  open(path, 'r', (error, opened) => {
    reading = false;
    if (error !== null) {
      fail(error);
      return;
    }
    file = opened;
    if (closed) closeFile();
    else if (pulled) pull();
  });

  return {
    pull,
    close: () => {
      closed = true;
      closeFile();
    },
  };
}
