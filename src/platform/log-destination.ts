/**
 * Where log lines go: a descriptor that nothing waits for.
 *
 * A reader may stop reading: a pager, Ctrl-S in a terminal, a log driver that hangs. Lines wait for it up to
 * {@link MAX_WAITING_BYTES}; what comes then is dropped and counted, and once there is room a line says how many are
 * missing. What cannot be written for another reason, as to a file on a full disk, waits in the same way.
 */
import { constants, openSync, writeSync } from 'node:fs';
import { createFifo } from './fifo.ts';

/** Of lines that wait; the last of them may reach over it. */
export const MAX_WAITING_BYTES = 256 * 1024;
/** Until the next try when no line comes, ms. */
const RETRY_MS = 100;
/** At the end of the process, for a reader that is only slow, ms. */
const LAST_WORDS_MS = 500;
const LAST_WORDS_STEP_MS = 10;

export type LogDestination = {
  /** Takes one line with its end, and returns at once. */
  readonly write: (line: string) => void;
  /** Tries for a moment to write what waits; for the end of the process. */
  readonly finish: () => void;
  /** Lines that were dropped so far. */
  readonly dropped: () => number;
};

/** `missing` makes the line that says how many lines were dropped. */
export function createLogDestination(fd: number, missing: (lines: number) => string): LogDestination {
  const waiting = createFifo<Uint8Array>();
  /** What is left of the line that is being written. */
  let rest: Uint8Array = new Uint8Array();
  let waitingBytes = 0;
  let dropped = 0;
  /** Dropped since the last line that said so. */
  let untold = 0;
  let retry: NodeJS.Timeout | null = null;

  const push = (line: string) => {
    const bytes = Buffer.from(line);
    waiting.push(bytes);
    waitingBytes += bytes.length;
  };
  /** Returns whether everything is written. A line goes whole where a pipe has room for it. */
  const flush = (): boolean => {
    for (;;) {
      if (rest.length === 0) {
        const next = waiting.shift();
        if (next === undefined) return true;
        rest = next;
      }
      const written = tryWrite(fd, rest);
      waitingBytes -= written;
      rest = rest.subarray(written);
      if (rest.length > 0) return false;
      if (waiting.size() === 0 && untold > 0) {
        push(missing(untold));
        untold = 0;
      }
    }
  };
  const flushSoon = () => {
    if (flush() || retry !== null) return;
    retry = setTimeout(() => {
      retry = null;
      flushSoon();
    }, RETRY_MS);
    retry.unref();
  };

  return {
    write: (line) => {
      if (waitingBytes < MAX_WAITING_BYTES) push(line);
      else {
        dropped += 1;
        untold += 1;
      }
      // What waits has been tried a moment ago, and is tried again soon.
      if (retry === null) flushSoon();
    },
    finish: () => {
      for (let waitedMs = 0; !flush() && waitedMs < LAST_WORDS_MS; waitedMs += LAST_WORDS_STEP_MS) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_WORDS_STEP_MS);
      }
    },
    dropped: () => dropped,
  };
}

/** How many bytes were written; 0 where none can be now. */
function tryWrite(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes);
  } catch {
    // Nobody is left to be told.
    return 0;
  }
}

/**
 * Standard error as a descriptor that gives up (EAGAIN) where it would wait. Files never wait; pipes and sockets are
 * made so by Node as soon as `process.stderr` exists. A terminal is opened a second time, since the shell shares the
 * first opening; that of another user, as after su, is used as it is.
 */
export function openStderr(): number {
  const { fd, isTTY } = process.stderr;
  if (!isTTY) return fd;
  try {
    return openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return fd;
  }
}
