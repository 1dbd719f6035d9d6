/** A queue in which those who put things in take turns, in amortised constant time. */
import { createFifo, type Fifo } from '../../../platform/fifo.ts';

export type FairQueue<T> = {
  readonly push: (owner: string, item: T) => void;
  /** The oldest item of the owner whose turn it is; undefined when there is none. */
  readonly shift: () => T | undefined;
};

/** Each owner's items come in order; owners that have any take turns, one item each. */
export function createFairQueue<T extends object | string>(): FairQueue<T> {
  const queues = new Map<string, Fifo<T>>();
  const turns = createFifo<string>();
  return {
    push: (owner, item) => {
      let queue = queues.get(owner);
      if (queue === undefined) {
        queue = createFifo<T>();
        queues.set(owner, queue);
        turns.push(owner);
      }
      queue.push(item);
    },
    shift: () => {
      const owner = turns.shift();
      const queue = owner === undefined ? undefined : queues.get(owner);
      if (owner === undefined || queue === undefined) return undefined;
      const item = queue.shift();
      if (queue.size() === 0) queues.delete(owner);
      else turns.push(owner);
      return item;
    },
  };
}
