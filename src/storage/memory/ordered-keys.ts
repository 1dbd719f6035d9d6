/**
 * Keys in order, for a disk in memory: many thousands of them, written and removed anywhere, looked at from anywhere.
 *
 * Sorted blocks of at most `MAX_BLOCK` keys: a change moves the keys of one block, not all that come after it.
 */
import { lowerBound } from '../key-text.ts';

export type OrderedKeys = {
  readonly add: (key: string) => void;
  readonly remove: (key: string) => void;
  /** The first keys from `from` up to and without `to`; the last ones, from the end, when `reverse`. */
  readonly within: (range: KeyRange) => string[];
};
export type KeyRange = {
  readonly from: string;
  readonly to: string;
  readonly limit: number;
  readonly reverse: boolean;
};

const MAX_BLOCK = 512;

export function createOrderedKeys(keys: Iterable<string>): OrderedKeys {
  const sorted = [...keys].sort((a, b) => (a < b ? -1 : 1));
  const blocks: string[][] = [];
  for (let at = 0; at < sorted.length; at += MAX_BLOCK / 2) blocks.push(sorted.slice(at, at + MAX_BLOCK / 2));

  /** The block that holds the key, or would: the last one that does not begin after it. */
  const blockOf = (key: string): number => {
    let low = 0;
    let high = blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((blocks[middle]?.[0] ?? '') <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  };

  return {
    add: (key) => {
      const index = blockOf(key);
      const block = blocks[index];
      if (block === undefined) {
        blocks.push([key]);
        return;
      }
      const at = lowerBound(block, key);
      if (block[at] === key) return;
      block.splice(at, 0, key);
      if (block.length > MAX_BLOCK) blocks.splice(index + 1, 0, block.splice(MAX_BLOCK / 2));
    },
    remove: (key) => {
      const index = blockOf(key);
      const block = blocks[index];
      if (block === undefined) return;
      const at = lowerBound(block, key);
      if (block[at] !== key) return;
      block.splice(at, 1);
      if (block.length === 0) blocks.splice(index, 1);
    },
    within: ({ from, to, limit, reverse }) => {
      const found: string[] = [];
      const step = reverse ? -1 : 1;
      for (
        let index = blockOf(reverse ? to : from), block = blocks[index];
        block !== undefined && found.length < limit;
        index += step, block = blocks[index]
      ) {
        const start = lowerBound(block, from);
        const end = Math.max(start, lowerBound(block, to));
        const left = limit - found.length;
        if (reverse) {
          for (let at = end - 1; at >= Math.max(start, end - left); at -= 1) found.push(block[at] ?? '');
          if (start > 0) break;
        } else {
          for (let at = start; at < Math.min(end, start + left); at += 1) found.push(block[at] ?? '');
          if (end < block.length) break;
        }
      }
      return found;
    },
  };
}
