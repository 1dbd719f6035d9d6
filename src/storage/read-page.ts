/**
 * Reading a range page by page. A record that is damaged is left out, and does not end the range: pages are counted by
 * their keys.
 */
import type { Entry, RangeQuery, Reader } from './storage.ts';

export type EntryPage = {
  readonly entries: readonly Entry[];
  /** Where the next page begins; null: this was the last one. */
  readonly next: Uint8Array | null;
};

export function readPage(reader: Reader, query: Omit<RangeQuery, 'reverse'>): EntryPage {
  const keys = reader.keys(query);
  const entries = keys.flatMap((key): Entry[] => {
    const value = reader.get(key);
    return value === undefined ? [] : [{ key, value }];
  });
  const last = keys.at(-1);
  return { entries, next: last === undefined || keys.length < query.limit ? null : after(last) };
}

/** All of them. What reads must not end before it is left. */
export function* entriesOf(
  reader: Reader,
  { from, to }: Pick<RangeQuery, 'from' | 'to'>,
  limit = 1_000,
): Generator<Entry, void> {
  for (let next: Uint8Array | null = from; next !== null; ) {
    const page = readPage(reader, { from: next, to, limit });
    yield* page.entries;
    next = page.next;
  }
}

/** All keys, those of damaged records too. */
export function* keysOf(
  reader: Reader,
  { from, to }: Pick<RangeQuery, 'from' | 'to'>,
  limit = 1_000,
): Generator<Uint8Array, void> {
  for (let next = from; ; ) {
    const keys = reader.keys({ from: next, to, limit });
    yield* keys;
    const last = keys.at(-1);
    if (last === undefined || keys.length < limit) return;
    next = after(last);
  }
}

/** The first key after `key`. */
function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
