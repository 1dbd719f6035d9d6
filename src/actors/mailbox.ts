import type { MailboxLoad, MailboxOptions } from './actor.ts';

export type Mailbox<M> = {
  /** `overflow`: full, and the policy is `crash`; the message is lost. */
  readonly offer: (message: M) => 'accepted' | 'dropped' | 'overflow';
  /** The oldest message, in a box since a message may be anything; null when none waits. */
  readonly take: () => { readonly message: M } | null;
  readonly clear: () => void;
  readonly load: () => MailboxLoad;
};

/** A bounded first-in first-out queue; at its bound it does what `overflow` says. */
export function createMailbox<M>({ capacity, overflow }: MailboxOptions): Mailbox<M> {
  if (!(Number.isInteger(capacity) && capacity >= 1)) {
    throw new RangeError(`mailbox capacity must be a whole number of at least 1, got ${capacity}`);
  }
  let queue: { readonly message: M }[] = [];
  let head = 0;
  let dropped = 0;
  const take = () => {
    const entry = queue[head];
    if (entry === undefined) return null;
    head += 1;
    // Compacted when half is spent: a long queue costs O(1) a message and keeps nothing alive.
    if (head * 2 > queue.length) {
      queue = queue.slice(head);
      head = 0;
    }
    return entry;
  };
  return {
    offer: (message) => {
      if (queue.length - head >= capacity) {
        dropped += 1;
        if (overflow !== 'drop-oldest') return overflow === 'crash' ? 'overflow' : 'dropped';
        take();
      }
      queue.push({ message });
      return 'accepted';
    },
    take,
    clear: () => {
      queue = [];
      head = 0;
    },
    load: () => ({ waiting: queue.length - head, dropped }),
  };
}
