/**
 * Pages of lists that are small enough to be at hand whole, ordered by a text key that does not move between two
 * requests.
 */
import { z } from 'zod';
import { Problem } from '../http/problem.ts';
import type { PageQuery } from './parameters.ts';

export type Page<T> = { items: T[]; cursor: string | null };

/** `{ items, cursor }`; cursor null: the end. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({
    items: z.array(item),
    cursor: z.string().nullable().describe('give it as `cursor` to get the next page; null at the end'),
  });
}

/** The items after the cursor. `items` must be in ascending order of their keys (by code unit), keys unique. */
export function page<T>(items: readonly T[], keyOf: (item: T) => string, query: PageQuery): Page<T> {
  const after = query.cursor === undefined ? null : decode(query.cursor);
  const start = after === null ? 0 : items.findIndex((item) => keyOf(item) > after);
  if (start < 0) return { items: [], cursor: null };
  const end = start + query.limit;
  const last = items[end - 1];
  return {
    items: items.slice(start, end),
    cursor:
      end < items.length && last !== undefined ? Buffer.from(`k:${keyOf(last)}`).toString('base64url') : null,
  };
}

/** Orders by key for {@link page}. */
export function byKey<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, key: keyOf(item) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ item }) => item);
}

function decode(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  if (text.startsWith('k:')) return text.slice(2);
  const message = 'must be a cursor that an earlier answer gave';
  throw new Problem('bad_request', `cursor: ${message}`, { errors: [{ field: 'cursor', message }] });
}
