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
  let queue: { readonly message: M }[] = [];
  let head = 0;
  return {
    offer: (message) => {
      if (queue.length - head >= capacity) return false;
      queue.push({ message });
      return true;
    },
    take: () => {
      const entry = queue[head];
      if (entry === undefined) return null;
      head += 1;
      // Compacted when half is spent: a long queue costs O(1) a message and keeps nothing alive.
      if (head * 2 > queue.length) {
        queue = queue.slice(head);
        head = 0;
      }
      return entry;
    },
    clear: () => {
      queue = [];
      head = 0;
    },
  };
}
