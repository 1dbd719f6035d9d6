/** Reads what a store has of agent `a1`. */
import { firstValueFrom } from 'rxjs';
import type { HqStore } from '../store.ts';
import { START } from './frames.ts';

export const EVER = { from: 0, to: START * 2 };

export async function allSeqs(store: HqStore, limit = 1000): Promise<number[]> {
  const seqs: number[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof readPage>> = await readPage(store, limit, cursor);
    seqs.push(...page.items.map(({ seq }) => seq));
    cursor = page.cursor;
  } while (cursor !== null);
  return seqs;
}
export const readPage = (store: HqStore, limit: number, cursor: string | null) =>
  firstValueFrom(store.samples({ agent: 'a1', limit, cursor, ...EVER }));

export const numbers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);
