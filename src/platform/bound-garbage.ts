import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * How far the heap may grow beyond what was alive at the last full collection, percent. V8's own bound is up to 300.
 */
const GROWTH_PERCENT = 50;

/**
 * Bounds the garbage of a process that lives long: the heap is collected when it has grown by half. Call it before
 * anything large is loaded. V8 waits for hundreds of megabytes before its first full collection, however little is
 * alive, and the first one is what it measures from: so one takes place here, while there is next to nothing to look
 * at.
 */
export function boundGarbage(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  setFlagsFromString('--no-expose-gc');
}
