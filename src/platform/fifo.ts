/** First in, first out, in amortised constant time; what has left is not kept alive. */
export type Fifo<T> = {
  readonly push: (item: T) => void;
  /** Takes the oldest item; undefined when there is none. */
  readonly shift: () => T | undefined;
  /** The oldest item, which stays. */
  readonly peek: () => T | undefined;
  readonly size: () => number;
  readonly clear: () => void;
};

/** Empty places at the front before the array is shortened, at the least. */
const SLACK = 1024;

export function createFifo<T extends object | string>(): Fifo<T> {
  let items: (T | undefined)[] = [];
  let head = 0;
  const clear = () => {
    items = [];
    head = 0;
  };
  return {
    push: (item) => void items.push(item),
    peek: () => items[head],
    size: () => items.length - head,
    clear,
    shift: () => {
      const item = items[head];
      if (item === undefined) return undefined;
      items[head] = undefined;
      head += 1;
      if (head === items.length) clear();
      else if (head > SLACK && head * 2 > items.length) {
        items = items.slice(head);
        head = 0;
      }
      return item;
    },
  };
}
