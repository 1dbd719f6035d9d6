import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createMemoryDisk, createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import type { Storage } from '../../storage/storage.ts';
import { createEventSweep, readEvents, writeEvents } from './agent-events.ts';
import { CursorError } from './cursor-error.ts';
import { LOG_LIFE_KEY } from './keys.ts';
import { loadView } from './load-view.ts';
import type { NewEvent } from './store.ts';
import { START } from './testing/frames.ts';
import { numbers } from './testing/read.ts';
import { KINDS, useStore } from './testing/use-store.ts';
import { createTransactions } from './transactions.ts';

const at = (second: number) => START + second * 1000;
const eventOf = (agent: string | null, second: number): NewEvent => ({
  agent,
  event: { ts: at(second), kind: agent === null ? 'chaos' : 'state', detail: `${agent} ${second}` },
});

describe.each(KINDS)('events in a store over %s', (kind) => {
  const used = useStore(kind);
  const save = (...events: NewEvent[]) => firstValueFrom(used.store.saveEvents({ events, leftOut: 0 }));

  async function paged(agent: string, limit: number, range = { from: at(0), to: at(1000) }) {
    const found: string[] = [];
    let cursor: string | null = null;
    do {
      const query: Parameters<typeof used.store.events>[0] = { agent, limit, cursor, ...range };
      const page = await firstValueFrom(used.store.events(query));
      expect(page.items.length).toBeLessThanOrEqual(limit);
      found.push(...page.items.map(({ of, detail }) => `${of}: ${detail}`));
      cursor = page.cursor;
    } while (cursor !== null);
    return found;
  }

  it('come back in order, page by page, with those of HQ and none of others', async () => {
    await save(eventOf('a1', 3), eventOf(null, 2), eventOf('a1', 1));
    await save(
      ...numbers(1, 5).map(() => eventOf('a1', 2)),
      eventOf('a2', 2),
      eventOf('a', 2),
      eventOf('a11', 2),
    );
    await used.reopen();
    await save(eventOf('a1', 2), eventOf(null, 4));
    for (const limit of [1, 2, 3, 100]) {
      const found = await paged('a1', limit);
      expect(found).toHaveLength(10);
      expect([found[0], ...found.slice(-2)]).toEqual(['agent: a1 1', 'agent: a1 3', 'hq: null 4']);
      expect(found.filter((one) => one === 'agent: a1 2')).toHaveLength(6);
    }
    expect(await paged('a1', 2, { from: at(3), to: at(4) })).toEqual(['agent: a1 3']);
    expect(await paged('nobody', 10)).toEqual(['hq: null 2', 'hq: null 4']);
  });

  it('refuse a cursor that is none', async () => {
    const query = { agent: 'a1', limit: 1, cursor: 'bm8', from: 0, to: 1 };
    await expect(firstValueFrom(used.store.events(query))).rejects.toThrow(CursorError);
  });
});

describe('the sweep of events', () => {
  /** Sweeps a whole round; the seconds of the events that are left of each agent. */
  async function left(storage: Storage, options: { maxEvents: number; maxBytes?: number; cutoff?: number }) {
    const { maxBytes = Number.POSITIVE_INFINITY, cutoff = Number.NEGATIVE_INFINITY } = options;
    const transactions = createTransactions(storage, loadView, () => 0);
    let precise = 0;
    const sweep = createEventSweep({ ...options, storage, maxBytes, clock: { precise: () => precise } });
    const round = async () => {
      for (let more = true; more; ) {
        const pass = sweep.next(cutoff);
        expect(pass).not.toBeNull();
        await firstValueFrom(
          transactions.run(({ writer }) => {
            for (const key of pass?.keys ?? []) writer.remove(key);
          }),
        );
        more = pass?.more ?? false;
      }
    };
    await round();
    expect(sweep.next(cutoff)).toBeNull();
    precise += 3_600_000;
    await round();
    return (agent: string) =>
      readEvents(storage, { agent, from: 0, to: at(1e6), limit: 10_000, cursor: null })
        .items.filter(({ of }) => of === 'agent')
        .map(({ ts }) => (ts - START) / 1000);
  }

  async function storageOf(events: readonly NewEvent[]): Promise<Storage> {
    const storage = createMemoryStorage({ disk: createMemoryDisk() });
    // As each HQ has it, among the keys of events.
    await firstValueFrom(storage.commit(({ put }) => put(LOG_LIFE_KEY, Uint8Array.of(1))));
    const transactions = createTransactions(storage, loadView, () => 0);
    await firstValueFrom(
      transactions.run((transaction) => writeEvents(transaction, events, { next: 0, life: 0 })),
    );
    return storage;
  }

  it('removes the oldest of who has too many, and what is too old of all', async () => {
    const storage = await storageOf([
      ...numbers(1, 1500).map((second) => eventOf('many', second)),
      ...numbers(1, 10).map((second) => eventOf('few', second)),
      ...numbers(1, 10).map((second) => eventOf(null, second)),
    ]);
    const of = await left(storage, { maxEvents: 100, cutoff: at(6) });
    expect(of('many')).toEqual(numbers(1401, 1500));
    expect(of('few')).toEqual(numbers(6, 10));
    const { items } = readEvents(storage, { agent: 'x', from: 0, to: at(1e6), limit: 100, cursor: null });
    expect(items.map(({ ts }) => ts)).toEqual(numbers(6, 10).map(at));
    expect(storage.read((reader) => reader.get(LOG_LIFE_KEY))).toBeDefined();
  });

  it('leaves each agent less the more of them there are in a store of that size', async () => {
    const storage = await storageOf(
      ['a', 'b', 'c', 'd'].flatMap((agent) => numbers(1, 200).map((second) => eventOf(agent, second))),
    );
    const of = await left(storage, { maxEvents: 1_000, maxBytes: 16 * 250 * 400 });
    for (const agent of ['a', 'b', 'c', 'd']) expect(of(agent)).toEqual(numbers(101, 200));
  });
});
