/**
 * A Writer that gathers changes above a Reader: its reads see them, the Reader below does not.
 * What the works of one group commit wrote is taken from it as one list of operations.
 */
import { keyBytes, keyText, lowerBound } from './key-text.ts';
import type { Entry, RangeQuery, Reader, Writer } from './storage.ts';

/** Null removes the key. */
export type Operation = { readonly key: Uint8Array; readonly value: Uint8Array | null };

export type Overlay = Writer & {
  /** How many keys have been changed. */
  readonly size: () => number;
  readonly operations: () => readonly Operation[];
  /** Runs `work`; when it throws, what it changed is undone before the error goes on. */
  readonly attempt: <T>(work: (writer: Writer) => T) => T;
};

export function createOverlay(base: Reader): Overlay {
  const changes = new Map<string, Uint8Array | null>();
  let undo: [text: string, before: Uint8Array | null | undefined][] = [];
  let sorted: string[] | null = null;

  const change = (key: Uint8Array, value: Uint8Array | null) => {
    const text = keyText(key);
    const before = changes.get(text);
    undo.push([text, before]);
    if (before === undefined) sorted = null;
    changes.set(text, value);
  };

  const touchedWithin = ({ from, to }: RangeQuery): string[] => {
    if (changes.size === 0) return [];
    sorted ??= [...changes.keys()].sort(compareText);
    return sorted.slice(lowerBound(sorted, keyText(from)), lowerBound(sorted, keyText(to)));
  };

  const mergedKeys = (query: RangeQuery, touched: readonly string[]): string[] => {
    const below = base
      .keys({ ...query, limit: query.limit + touched.length })
      .map(keyText)
      .filter((text) => !changes.has(text));
    const merged = [...below, ...touched.filter((text) => changes.get(text) !== null)].sort(compareText);
    if (query.reverse === true) merged.reverse();
    return merged.slice(0, query.limit);
  };

  const get = (key: Uint8Array): Uint8Array | undefined => {
    const changed = changes.size === 0 ? undefined : changes.get(keyText(key));
    if (changed === undefined) return base.get(key);
    return changed === null ? undefined : new Uint8Array(changed);
  };

  const overlay: Overlay = {
    get,
    keys: (query) => {
      const touched = touchedWithin(query);
      return touched.length === 0 ? base.keys(query) : mergedKeys(query, touched).map(keyBytes);
    },
    range: (query) => {
      const touched = touchedWithin(query);
      if (touched.length === 0) return base.range(query);
      return mergedKeys(query, touched).flatMap((text): Entry[] => {
        const key = keyBytes(text);
        const value = get(key);
        return value === undefined ? [] : [{ key, value }];
      });
    },
    put: (key, value) => change(key, new Uint8Array(value)),
    remove: (key) => change(key, null),
    size: () => changes.size,
    operations: () => Array.from(changes, ([text, value]) => ({ key: keyBytes(text), value })),
    attempt: (work) => {
      undo = [];
      try {
        return work(overlay);
      } catch (error) {
        for (const [text, before] of undo.reverse()) {
          if (before === undefined) changes.delete(text);
          else changes.set(text, before);
        }
        sorted = null;
        throw error;
      }
    },
  };
  return overlay;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
