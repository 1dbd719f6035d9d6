/** What happened, as lines of text; their hash tells whether two runs were the same, event by event. */
import { createHash } from 'node:crypto';

export type Trace = {
  readonly note: (line: string) => void;
  /** Hash of everything noted so far. */
  readonly digest: () => string;
};

/** `onLine` is told of each line too. */
export function createTrace(now: () => number, onLine?: (line: string) => void): Trace {
  const hash = createHash('sha256');
  return {
    note: (line) => {
      const stamped = `${now().toFixed(3)} ${line}`;
      hash.update(stamped);
      hash.update('\n');
      onLine?.(stamped);
    },
    digest: () => hash.copy().digest('hex'),
  };
}

/** Hash over the digests of several traces, in their order. */
export function digestOf(digests: readonly string[]): string {
  return createHash('sha256').update(digests.join('\n')).digest('hex');
}
