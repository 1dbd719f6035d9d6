/** Queues in amortised constant time: a plain one, and one in which those who put things in take turns. */
export type Fifo<T> = {
  readonly push: (item: T) => void;
  /** The oldest item; undefined when there is none. */
  readonly shift: () => T | undefined;
  readonly isEmpty: () => boolean;
};

export function createFifo<T>(): Fifo<T> {
  let items: (T | undefined)[] = [];
  let head = 0;
  return {
    push: (item) => void items.push(item),
    isEmpty: () => items.length === head,
    shift: () => {
      const item = items[head];
      if (item === undefined) return undefined;
      items[head] = undefined;
      head += 1;
      if (head === items.length) {
        items = [];
        head = 0;
      } else if (head > 1024 && head * 2 > items.length) {
        items = items.slice(head);
        head = 0;
      }
      return item;
    },
  };
}

export type FairQueue<T> = {
  readonly push: (owner: string, item: T) => void;
  /** The oldest item of the owner whose turn it is; undefined when there is none. */
  readonly shift: () => T | undefined;
};

/** Each owner's items come in order; owners that have any take turns, one item each. */
export function createFairQueue<T>(): FairQueue<T> {
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
      if (queue.isEmpty()) queues.delete(owner);
      else turns.push(owner);
      return item;
    },
  };
}
