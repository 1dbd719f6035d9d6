/** What happened, as lines of text; their hash tells whether two runs were the same, event by event. */
import { createHash } from 'node:crypto';

export type Trace = {
  readonly note: (line: string) => void;
  /** Hash of everything noted so far. */
  readonly digest: () => string;
};

const FLUSH_AT = 16 * 1024;

/** `onLine` is told of each line too. */
export function createTrace(now: () => number, onLine?: (line: string) => void): Trace {
  const hash = createHash('sha256');
  // Many small updates of a hash cost more than what they hash.
  let waiting = '';
  const flush = () => {
    hash.update(waiting);
    waiting = '';
  };
  return {
    note: (line) => {
      const stamped = `${now().toFixed(3)} ${line}`;
      waiting += `${stamped}\n`;
      if (waiting.length > FLUSH_AT) flush();
      onLine?.(stamped);
    },
    digest: () => {
      flush();
      return hash.copy().digest('hex');
    },
  };
}

/** Hash over the digests of several traces, in their order. */
export function digestOf(digests: readonly string[]): string {
  return createHash('sha256').update(digests.join('\n')).digest('hex');
}
