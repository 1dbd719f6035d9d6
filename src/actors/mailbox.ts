import { createFifo } from '../platform/fifo.ts';

export type Mailbox<M> = {
  /** False: full, and the message is lost. */
  readonly offer: (message: M) => boolean;
  /** The oldest message, in a box since a message may be anything; null when none waits. */
  readonly take: () => { readonly message: M } | null;
  readonly clear: () => void;
};

/** A bounded first-in first-out queue; at its bound it drops what is newest. */
export function createMailbox<M>(capacity: number): Mailbox<M> {
  if (!(Number.isInteger(capacity) && capacity >= 1)) {
    throw new RangeError(`mailbox capacity must be a whole number of at least 1, got ${capacity}`);
  }
  const queue = createFifo<{ readonly message: M }>();
  return {
    offer: (message) => {
      if (queue.size() >= capacity) return false;
      queue.push({ message });
      return true;
    },
    take: () => queue.shift() ?? null,
    clear: queue.clear,
  };
}
