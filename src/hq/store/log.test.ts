import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import {
  createMemoryDisk,
  createMemoryStorage,
  damageRecord,
  type MemoryDisk,
} from '../../storage/memory/memory-storage.ts';
import { type Storage, StorageError } from '../../storage/storage.ts';
import { appendFrame } from './append-frame.ts';
import { decodeMark } from './filed-mark.ts';
import { dueFilings, isCrowded } from './filing.ts';
import { type KeyKind, kindRange, META_KEY } from './keys.ts';
import { loadView } from './load-view.ts';
import type { TailEntry } from './log-entry.ts';
import { queryBuckets } from './query-buckets.ts';
import type { QueryContext } from './query-context.ts';
import { querySamples } from './query-samples.ts';
import { createSchemaCatalogue } from './schema-catalogue.ts';
import type { AgentFrame } from './store.ts';
import {
  closeStore,
  dataFrame,
  downsampledFrame,
  gapFrame,
  openStore,
  START,
  schema,
  testClock,
} from './testing/frames.ts';
import { allSeqs, EVER, ledgerOf, numbers, oneSeries, readBuckets, readPage, rowOf } from './testing/read.ts';
import { createTransactions } from './transactions.ts';

const recordsOf = (disk: MemoryDisk, kind: KeyKind): number =>
  createMemoryStorage({ disk }).read((reader) => reader.keys({ ...kindRange(kind), limit: 10_000 }).length);

/** What a process that is killed now leaves behind. */
const leftBehind = (disk: MemoryDisk): MemoryDisk => ({
  ...disk,
  records: new Map(disk.records),
  orderedKeys: null,
});

async function opened(disk = createMemoryDisk()) {
  const store = await openStore(createMemoryStorage({ disk }));
  await firstValueFrom(store.putSchema('a1', schema));
  return { disk, store };
}

const ALL = { stepMs: EVER.to - EVER.from, ...EVER };

function resultOf<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

const FRAMES = [
  ...numbers(1, 20).map((seq) => dataFrame(seq, seq)),
  dataFrame(18, 25),
  gapFrame(26, 30, 'damaged'),
  downsampledFrame(31, 40, { window: 5 }),
  dataFrame(41, 340),
  dataFrame(341, 342),
];

describe('the log of HQ', () => {
  it('is all that a commit of small frames writes, and all of it is read at once', async () => {
    const { disk, store } = await opened();
    await firstValueFrom(store.append(FRAMES.slice(0, 21)));
    expect(['J', 'E', 'F', 'T', 'L'].map((kind) => recordsOf(disk, kind as KeyKind))).toEqual([
      21, 0, 0, 0, 0,
    ]);
    expect(await allSeqs(store)).toEqual(numbers(1, 25));
    expect(await readBuckets(store, ALL)).toMatchObject([{ count: 25, min: 1, max: 25, mean: 13 }]);
    await closeStore(store);
  });

  it('tells a start of what was stored by a process that was killed', async () => {
    const { disk, store } = await opened();
    await firstValueFrom(store.append(FRAMES));
    const before = { ledger: await ledgerOf(store), page: await readPage(store, 1_000, null) };
    const again = await opened(leftBehind(disk));
    expect(await ledgerOf(again.store)).toEqual(before.ledger);
    expect(await readPage(again.store, 1_000, null)).toEqual(before.page);
    const [outcome] = await firstValueFrom(again.store.append([dataFrame(1, 25)]));
    expect(outcome).toMatchObject({ stored: 0, duplicates: 25 });
    for (const one of [store, again.store]) await closeStore(one);
  });

  it('is filed into the index, few records for many frames, when HQ ends, and leaves no doubt behind', async () => {
    const { disk, store } = await opened();
    await firstValueFrom(store.append(FRAMES));
    const before = { ledger: await ledgerOf(store), page: await readPage(store, 1_000, null) };
    await closeStore(store);
    // Of 1 to 25, of 41 to 340, and of 341 and 342; the thinned one.
    expect(recordsOf(disk, 'F')).toBe(4);
    const again = await opened(disk);
    expect(await ledgerOf(again.store)).toEqual(before.ledger);
    expect(await readPage(again.store, 1_000, null)).toEqual(before.page);
    expect(await readBuckets(again.store, ALL)).toMatchObject([{ count: 337 }]);
    await closeStore(again.store);
  });

  it('loses its entries once they are filed, saved and read', async () => {
    const { disk, store } = await opened();
    await firstValueFrom(store.append(numbers(1, 200).map((seq) => dataFrame(seq, seq))));
    await closeStore(store);
    const again = await opened(disk);
    await eventually(() => expect(recordsOf(disk, 'J')).toBe(0));
    expect(await allSeqs(again.store)).toEqual(numbers(1, 200));
    await closeStore(again.store);
  });
});

describe('when something is wrong', () => {
  it('goes on with removing what is old although nothing can be filed', async () => {
    const memory = createMemoryStorage();
    const isFiled = (key: Uint8Array, value: Uint8Array) =>
      key[0] === 'M'.charCodeAt(0) && decodeMark(value)?.number !== 0;
    const storage: Storage = {
      ...memory,
      commit: (work) =>
        memory.commit((writer) =>
          work({
            ...writer,
            put: (key, value) => {
              if (isFiled(key, value)) throw new StorageError('full', 'no room to file');
              writer.put(key, value);
            },
          }),
        ),
    };
    const failed = new Set<string>();
    const store = await openStore(storage, {
      clock: testClock(START + 1_000_000),
      maxAgeMs: 500_000,
      emit: (event) => {
        if (event.type === 'store_background_failed') failed.add(event.task);
      },
    });
    await firstValueFrom(store.putSchema('a1', schema));
    // The one is filed at once, as it is large; the other is old too, and so is due.
    const old = { arrivalTs: START };
    await firstValueFrom(store.append([dataFrame(1, 300, old), dataFrame(301, 302, old)]));
    await eventually(async () => expect(await allSeqs(store)).toEqual([301, 302]));
    expect([...failed]).toEqual(['filing']);
    await closeStore(store);
  });

  it('gives no number twice, also when the record that counts them is damaged', async () => {
    const { disk, store } = await opened();
    await firstValueFrom(store.append(numbers(1, 20).map((seq) => dataFrame(seq, seq))));
    await closeStore(store);
    // As when all has left the log, and damage has taken the rest.
    for (const name of disk.records.keys()) if (/^[JLFT]/.test(name)) disk.records.delete(name);
    disk.orderedKeys = null;
    damageRecord(disk, META_KEY);
    const again = await opened(disk);
    await firstValueFrom(again.store.append([dataFrame(21, 22)]));
    const third = await opened(leftBehind(disk));
    expect(await allSeqs(third.store)).toEqual([21, 22]);
    expect(await ledgerOf(third.store)).toMatchObject([{ sampled: 22, stored: 2, pending: 20 }]);
    for (const one of [again, third]) await closeStore(one.store);
  });

  it('reads nothing again because one piece of work threw', async () => {
    let loads = 0;
    const transactions = createTransactions(
      createMemoryStorage(),
      (reader) => {
        loads += 1;
        return loadView(reader);
      },
      () => 0,
    );
    const append = (frame: AgentFrame) =>
      firstValueFrom(transactions.run((transaction) => appendFrame(transaction, frame)));
    await append(dataFrame(1, 2));
    const thrown = transactions.run((transaction) => {
      appendFrame(transaction, dataFrame(3, 4));
      throw new Error('as a frame that does not decode');
    });
    await expect(firstValueFrom(thrown)).rejects.toThrow('does not decode');
    expect(await append(dataFrame(3, 5))).toMatchObject({ stored: 3, coverage: { contiguous: 5 } });
    expect(loads).toBe(1);
  });
});

describe('a query that runs while frames are filed', () => {
  it('shows each sample once, from the log or from the index', async () => {
    for (const [steps, isRemoved] of [0, 1, 5, 12, 19].flatMap((one) => [
      [one, false] as const,
      [one, true] as const,
    ])) {
      const { disk, store } = await opened();
      await firstValueFrom(store.append(numbers(1, 20).map((seq) => dataFrame(seq, seq))));
      const storage = createMemoryStorage({ disk });
      const { tails } = storage.read(loadView).view;
      const context: QueryContext = {
        storage,
        tail: (agent) => tails.get(agent) ?? [],
        schemas: createSchemaCatalogue(storage),
        maxAheadMs: Number.POSITIVE_INFINITY,
        onBadFrame: (_agent, _epoch, _seq, error) => expect.fail(String(error)),
      };
      const samples = querySamples(context, { agent: 'a1', limit: 100, cursor: null, ...EVER });
      const buckets = queryBuckets(context, oneSeries(ALL));
      for (let step = 0; step < steps; step += 1) for (const one of [samples, buckets]) one.next();
      await closeStore(store);
      expect(recordsOf(disk, 'F')).toBe(1);
      if (isRemoved) {
        for (const name of disk.records.keys()) if (name.startsWith('J')) disk.records.delete(name);
        disk.orderedKeys = null;
      }
      expect(resultOf(samples).items.map(({ seq }) => seq)).toEqual(numbers(1, 20));
      expect(rowOf(resultOf(buckets))).toMatchObject([{ count: 20 }]);
    }
  });
});

describe('what is filed', () => {
  const entry = (number: number, more: Partial<TailEntry> = {}): TailEntry => ({
    number,
    epoch: 'aaaaaaaaaaaa',
    first: number,
    last: number,
    tsMin: number,
    tsMax: number,
    samples: 1,
    bytes: 100,
    arrivalTs: 1_000,
    ...more,
  });
  const never = { before: 0, arrivedBefore: Number.NEGATIVE_INFINITY };
  const agentsIn = (tails: ReadonlyMap<string, readonly TailEntry[]>, limits = never) =>
    dueFilings(tails, limits).map(({ agent, entries }) => `${agent} ${entries.length}`);

  it('is what is much, what is old, and what is about to be removed', () => {
    const tails = new Map([
      ['few', numbers(1, 3).map((number) => entry(number))],
      ['many', numbers(10, 73).map((number) => entry(number))],
      ['large', [entry(80, { samples: 1_024 })]],
      ['expired', [entry(81, { arrivalTs: 1 })]],
    ]);
    expect(agentsIn(tails)).toEqual(['many 64', 'large 1']);
    expect(agentsIn(tails, { ...never, before: 1 })).toEqual(['few 3', 'many 64', 'large 1']);
    expect(agentsIn(tails, { ...never, arrivedBefore: 2 })).toEqual(['many 64', 'large 1', 'expired 1']);
  });

  it('is no more than one commit may take, and the agents that have most when memory is short', () => {
    const agents = (count: number, entries: number) =>
      numbers(1, count).map((agent) => [`a${agent}`, numbers(1, entries).map((n) => entry(n))] as const);
    const taken = dueFilings(new Map(agents(100, 64)), never);
    expect(taken.reduce((sum, { entries }) => sum + entries.length, 0)).toBe(512);
    const crowd = new Map<string, readonly TailEntry[]>([
      ...agents(4_400, 30),
      ['most', numbers(1, 40).map((n) => entry(n))],
    ]);
    expect(isCrowded(crowd)).toBe(true);
    expect(dueFilings(crowd, never)[0]?.agent).toBe('most');
  });
});
