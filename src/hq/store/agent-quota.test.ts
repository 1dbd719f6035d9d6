import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { createMemoryDisk, createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import { overQuota, removeOldestOf } from './agent-quota.ts';
import { encodeMark } from './filed-mark.ts';
import { filedKey } from './keys.ts';
import { loadView } from './load-view.ts';
import type { HqStoreOptions } from './open-hq-store.ts';
import type { HqStore } from './store.ts';
import type { StoreEmit } from './store-events.ts';
import { closeStore, dataFrame, openStore, START, schema } from './testing/frames.ts';
import { EVER, ledgerOf } from './testing/read.ts';
import { createTransactions } from './transactions.ts';

const FRAME = 300;
/** Frames that go into the index at once. */
const framesOf = (agent: string, count: number, from = 0) =>
  Array.from({ length: count }, (_, at) =>
    dataFrame((from + at) * FRAME + 1, (from + at + 1) * FRAME, { agent }),
  );

async function timesOf(store: HqStore, agent: string): Promise<number[]> {
  const times: number[] = [];
  let cursor: string | null = null;
  do {
    const page: { items: readonly { ts: number }[]; cursor: string | null } = await firstValueFrom(
      store.samples({ agent, limit: 10_000, cursor, ...EVER }),
    );
    times.push(...page.items.map(({ ts }) => ts));
    cursor = page.cursor;
  } while (cursor !== null);
  return times;
}

function watching() {
  const seen = { samples: 0, reasons: new Set<string>(), told: [] as string[] };
  const emit: StoreEmit = (event) => {
    if (event.type === 'store_quota_exceeded') seen.told.push(event.agent);
    if (event.type !== 'store_retention_removed') return;
    seen.samples += event.samples;
    seen.reasons.add(event.reason);
  };
  return { seen, emit };
}

async function opened(options: Partial<HqStoreOptions>, storage = createMemoryStorage()): Promise<HqStore> {
  const store = await openStore(storage, options);
  for (const agent of ['a1', 'greedy']) await firstValueFrom(store.putSchema(agent, schema));
  return store;
}

const sizeOf = (storage: ReturnType<typeof createMemoryStorage>, agent: string) =>
  storage.read(loadView).view.sizes.get(agent);

describe('an agent over its quota', () => {
  it('loses its oldest samples, is told of, and stays exact in its ledger; others keep theirs', async () => {
    const { seen, emit } = watching();
    const storage = createMemoryStorage();
    const store = await opened({ maxBytesPerAgent: 8_000, emit }, storage);
    await firstValueFrom(store.append(framesOf('a1', 10)));
    await firstValueFrom(store.append(framesOf('greedy', 60)));
    await eventually(() => expect(sizeOf(storage, 'greedy')).toBeLessThan(8_000));
    expect(seen.told).toEqual(['greedy']);
    expect([...seen.reasons]).toEqual(['quota']);
    const left = await timesOf(store, 'greedy');
    expect(left.length).toBe(60 * FRAME - seen.samples);
    expect(left[0]).toBe(START + (seen.samples + 1) * 1000);
    expect((await timesOf(store, 'a1')).length).toBe(10 * FRAME);
    expect(await ledgerOf(store, 'greedy')).toMatchObject([
      { sampled: 60 * FRAME, stored: 60 * FRAME, pending: 0 },
    ]);
    await closeStore(store);
  });

  it('is the first to lose samples where the store is full, without a quota of its own', async () => {
    const { seen, emit } = watching();
    const storage = createMemoryStorage();
    const store = await opened({ maxBytes: 40_000, emit }, storage);
    // The oldest of all by arrival, and far from a quarter of the store.
    await firstValueFrom(store.append(framesOf('a1', 20)));
    const used = storage.stats().usedBytes;
    for (let from = 0; from < 150; from += 10)
      await firstValueFrom(store.append(framesOf('greedy', 10, from)));
    await eventually(() => expect(storage.stats().usedBytes).toBeLessThan(40_000));
    expect(used).toBeLessThan(15_000);
    expect([...seen.reasons]).toEqual(['quota']);
    expect((await timesOf(store, 'a1')).length).toBe(20 * FRAME);
    await closeStore(store);
  });

  it('is found again over a restart, also where nobody has counted before', async () => {
    const disk = createMemoryDisk();
    const first = createMemoryStorage({ disk });
    const store = await opened({}, first);
    await firstValueFrom(store.append(framesOf('greedy', 60)));
    // Small ones take the way through the log.
    const small = Array.from({ length: 100 }, (_, at) =>
      dataFrame(60 * FRAME + at + 1, 60 * FRAME + at + 1, { agent: 'greedy' }),
    );
    await firstValueFrom(store.append(small));
    await closeStore(store);
    const counted = sizeOf(createMemoryStorage({ disk }), 'greedy') ?? 0;
    expect(counted).toBeGreaterThan(12_000);
    const mark = encodeMark({ number: 160, bytes: null });
    await firstValueFrom(createMemoryStorage({ disk }).commit(({ put }) => put(filedKey('greedy'), mark)));
    const storage = createMemoryStorage({ disk });
    expect(sizeOf(storage, 'greedy')).toBeNull();
    const again = await openStore(storage);
    await eventually(() => expect(sizeOf(storage, 'greedy')).toBe(counted));
    await closeStore(again);
    const { seen, emit } = watching();
    const bounded = createMemoryStorage({ disk });
    const last = await openStore(bounded, { maxBytesPerAgent: 8_000, emit });
    await eventually(() => expect(sizeOf(bounded, 'greedy')).toBeLessThan(8_000));
    expect(seen.told).toEqual(['greedy']);
    await closeStore(last);
  });

  it('is counted again where its frames are not there', async () => {
    const storage = createMemoryStorage();
    const transactions = createTransactions(storage, loadView, () => 0);
    const run = <T>(work: Parameters<typeof transactions.run<T>>[0]) =>
      firstValueFrom(transactions.run(work));
    await run((transaction) => transaction.addBytes('a1', 50_000));
    const over = overQuota(transactions.durable.sizes, {
      ...{ maxBytesPerAgent: 10_000, maxBytes: 1e6, excessBytes: 0 },
    });
    expect(over).toEqual({ agent: 'a1', excessBytes: 40_500 });
    if (over === null) return;
    expect(await run((transaction) => removeOldestOf(transaction, over))).toEqual({ frames: 0, samples: 0 });
    expect(transactions.durable.sizes.get('a1')).toBeNull();
  });
});
