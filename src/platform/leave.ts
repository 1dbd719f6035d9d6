/**
 * Ends the process, and not by `process.exit` at once: there Node waits for the threads that compile in the background,
 * and one that needs a garbage collection waits for the main thread, for ever (nodejs/node#54918; measured with 24.21:
 * about one in a hundred ends shortly after a busy start). A process in which nothing is open any more ends by itself,
 * which is safe; before any other end the compilers rest, while the main thread still answers them.
 */
import { switchCompilers } from './compilers.ts';

/** What they are at takes a few ms; the rest is for a busy machine. */
const REST_MS = 100;
/** How long what a library still holds open may keep a finished command alive, ms. */
const OPEN_MS = 1_000;

/** As soon as nothing is open. */
export function leaveDone(exitCode: number): void {
  leaveAfter(exitCode, OPEN_MS).unref();
}

/** Whatever is open. `last` is called at the very end: until then what is under way goes on. */
export function leaveNow(exitCode: number, last = () => {}): void {
  leaveAfter(exitCode, REST_MS, last);
}

function leaveAfter(exitCode: number, ms: number, last = () => {}): NodeJS.Timeout {
  process.exitCode = exitCode;
  switchCompilers('off');
  return setTimeout(() => {
    last();
    process.exit(exitCode);
  }, ms);
}
