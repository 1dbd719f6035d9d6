import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  createMemoryDisk,
  createMemoryStorage,
  type MemoryDisk,
} from '../../storage/memory/memory-storage.ts';
import { RESOLUTIONS } from '../rollups/resolutions.ts';
import { kindRange } from './keys.ts';
import { loadView } from './load-view.ts';
import { agentOfRollup, parseRollupKey, rollupKey, rollupStateKey } from './rollup-keys.ts';
import { createRollupRetention } from './rollup-retention.ts';
import { START, schema, testClock } from './testing/frames.ts';
import { createTransactions } from './transactions.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NO_BOUND = Number.POSITIVE_INFINITY;
const [TEN_SECONDS, MINUTE] = RESOLUTIONS;

function opened({
  disk = createMemoryDisk(),
  clock = testClock(START),
  keepMs = [DAY_MS, 30 * DAY_MS, NO_BOUND, NO_BOUND],
  maxBytes = NO_BOUND,
}: {
  disk?: MemoryDisk;
  clock?: ReturnType<typeof testClock>;
  keepMs?: number[];
  maxBytes?: number;
} = {}) {
  const storage = createMemoryStorage({ disk });
  const transactions = createTransactions(storage, loadView, () => 0);
  let isTrusted = true;
  const retention = createRollupRetention({
    storage,
    transactions,
    clock,
    trust: { holds: () => isTrusted },
    retention: { maxBytes },
    keepMs,
    emit: () => {},
  });
  return {
    disk,
    clock,
    retention,
    trust: (value: boolean) => {
      isTrusted = value;
    },
    put: (agent: string, resolution: number, block: number) =>
      firstValueFrom(
        storage.commit((writer) => {
          const key = rollupKey(agent, { ref: schema.ref, resolution, block, level: 0, number: 1 });
          writer.put(rollupStateKey(agent), Buffer.from('{}'));
          writer.put(key, Buffer.alloc(100));
        }),
      ),
    sweep: async () => {
      while (await firstValueFrom(retention.sweep())) {}
    },
    /** Blocks that are left. */
    left: () =>
      storage.read((reader) =>
        reader
          .keys({ ...kindRange('U'), limit: 10_000 })
          .filter((key) => key.length > rollupStateKey(agentOfRollup(key)).length)
          .map(
            (key) => `${agentOfRollup(key)} ${parseRollupKey(key).resolution} ${parseRollupKey(key).block}`,
          ),
      ),
  };
}

const hour = START / HOUR_MS;

describe('retention of rollups', () => {
  it('removes the blocks of each resolution that are over for longer than that is kept', async () => {
    const store = opened();
    for (const agent of ['a', 'b']) {
      for (const block of [hour - 26, hour - 25, hour - 24, hour - 1]) await store.put(agent, 0, block);
      for (const block of [hour / 6 - 121, hour / 6 - 120]) await store.put(agent, 1, block);
      await store.put(agent, 3, -5);
    }
    await store.sweep();
    expect(store.left()).toEqual(
      ['a', 'b'].flatMap((agent) => [
        `${agent} 0 ${hour - 24}`,
        `${agent} 0 ${hour - 1}`,
        `${agent} 1 ${hour / 6 - 120}`,
        `${agent} 3 -5`,
      ]),
    );
    expect(store.retention.keptFrom(TEN_SECONDS)).toBe(START - DAY_MS);
    expect([hour - 25, hour - 24].map((block) => store.retention.isKept(TEN_SECONDS, block))).toEqual([
      false,
      true,
    ]);
  });

  it('knows after a start, and with a clock that was set back, what it has removed', async () => {
    const store = opened();
    await store.put('a', 0, hour - 26);
    await store.sweep();
    const again = opened({ disk: store.disk, clock: testClock(START - 5 * DAY_MS) });
    await again.sweep();
    expect(again.retention.keptFrom(TEN_SECONDS)).toBe(START - DAY_MS);
    expect(again.retention.keptFrom(MINUTE)).toBe(START - 30 * DAY_MS);
  });

  it('removes nothing while the clock is not to be believed', async () => {
    const store = opened();
    await store.put('a', 0, hour - 100);
    store.trust(false);
    await store.sweep();
    expect(store.left()).toHaveLength(1);
    expect(store.retention.keptFrom(TEN_SECONDS)).toBe(Number.NEGATIVE_INFINITY);
  });

  it('writes nothing where nothing is too old', async () => {
    const store = opened();
    await store.put('a', 0, hour - 2);
    const before = [...store.disk.records.keys()];
    await store.sweep();
    expect([...store.disk.records.keys()]).toEqual(before);
    expect(store.retention.keptFrom(TEN_SECONDS)).toBe(Number.NEGATIVE_INFINITY);
  });

  it('goes on in parts, and with what has become old since', async () => {
    const store = opened();
    for (let block = 0; block < 1_200; block += 1) await store.put('a', 0, hour - 2_000 + block);
    await store.put('a', 0, hour - 20);
    await store.sweep();
    expect(store.left()).toEqual([`a 0 ${hour - 20}`]);
    store.clock.set(START + 5 * HOUR_MS);
    await store.sweep();
    expect(store.left()).toEqual([]);
  });

  it('keeps fine ones no longer than raw samples in a store that is full', async () => {
    const store = opened({ maxBytes: 1 });
    await store.put('a', 0, hour - 2);
    await store.put('a', 3, 0);
    await store.sweep();
    expect(store.left()).toEqual(['a 3 0']);
  });
});
