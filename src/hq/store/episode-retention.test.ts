import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import type { Anomaly } from '../../protocol/sample.ts';
import { createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import type { HqStoreOptions } from './open-hq-store.ts';
import type { HqStore } from './store.ts';
import type { StoreEmit } from './store-events.ts';
import { closeStore, dataFrame, openStore, START, schema, testClock } from './testing/frames.ts';
import { allSeqs, anomaliesOf, EVER, numbersOf } from './testing/read.ts';

const closed = (startTs: number): Anomaly => ({
  ...{ series: 0, state: 'closed', startTs, peakTs: startTs, peakValue: 9, peakZ: 4 },
  ...{ mean: 1, stddev: 2, endTs: startTs + 1 },
});
const open = (startTs: number): Anomaly => ({ ...closed(startTs), state: 'open', endTs: null, series: 1 });

const startsOf = async (store: HqStore, agent = 'a1') =>
  (await anomaliesOf(store, { ...EVER, agent })).map(({ startTs }) => startTs - START);

/** Told how many were removed, by reason. */
function counting() {
  const removed = { age: 0, count: 0, size: 0 };
  const emit: StoreEmit = (event) => {
    if (event.type === 'store_anomalies_removed') removed[event.reason] += event.anomalies;
  };
  return { removed, emit };
}

async function opened(options: Partial<HqStoreOptions>): Promise<HqStore> {
  const store = await openStore(createMemoryStorage(), options);
  for (const agent of ['a1', 'bad']) await firstValueFrom(store.putSchema(agent, schema));
  return store;
}

describe('anomaly episodes', () => {
  it('go with the samples that came with them, whatever their times say, but not while they go on', async () => {
    const clock = testClock(START + 1_000_000);
    const disk = createMemoryStorage();
    const first = await openStore(disk, { clock });
    await firstValueFrom(first.putSchema('a1', schema));
    const at = (seq: number, arrivalTs: number, anomalies: readonly Anomaly[]) =>
      dataFrame(seq, seq, { arrivalTs, anomalies: () => anomalies });
    await firstValueFrom(
      first.append([
        // A clock that was never set, one that is right, one that is ahead; and one that has not ended.
        at(1, START + 100_000, [
          closed(5),
          closed(START + 90_000),
          closed(START + 9e9),
          open(START + 90_000),
        ]),
        at(2, START + 900_000, [closed(6), closed(START + 890_000)]),
      ]),
    );
    await eventually(async () => expect((await numbersOf(first)).anomalies).toEqual({ open: 1, total: 6 }));
    const { removed, emit } = counting();
    const again = await openStore(disk, { clock, emit, maxAgeMs: 500_000 });
    await eventually(() => expect(removed).toEqual({ age: 3, count: 0, size: 0 }));
    expect(await startsOf(again)).toEqual([6 - START, 90_000, 890_000]);
    expect((await numbersOf(again)).anomalies).toEqual({ open: 1, total: 3 });
    await closeStore(again);
  });

  it('beyond what an agent may have are removed, the oldest first', async () => {
    const { removed, emit } = counting();
    const store = await opened({ maxEpisodes: 300, emit });
    const many = Array.from({ length: 1_000 }, (_, at) => closed(START + at * 10));
    await firstValueFrom(store.append([dataFrame(1, 1, { anomalies: () => many })]));
    await eventually(() => expect(removed).toEqual({ age: 0, count: 700, size: 0 }));
    expect((await startsOf(store))[0]).toBe(7_000);
    expect((await numbersOf(store)).anomalies).toEqual({ open: 0, total: 300 });
    await closeStore(store);
  });

  it('of one agent push out neither samples nor episodes of others, however many there are', async () => {
    const { removed, emit } = counting();
    let samplesRemoved = 0;
    const storage = createMemoryStorage();
    const store = await openStore(storage, {
      maxBytes: 1_000_000,
      emit: (event) => {
        emit(event);
        if (event.type === 'store_retention_removed') samplesRemoved += event.samples;
      },
    });
    for (const agent of ['a1', 'bad']) await firstValueFrom(store.putSchema(agent, schema));
    const frames = Array.from({ length: 20 }, (_, at) => dataFrame(at * 300 + 1, at * 300 + 300));
    await firstValueFrom(store.append(frames));
    await firstValueFrom(store.append([dataFrame(6_001, 6_001, { anomalies: () => [closed(START)] })]));
    for (let seq = 1; seq <= 4; seq += 1) {
      const many = Array.from({ length: 1_500 }, (_, at) => closed(START + seq * 1e6 + at * 10));
      await firstValueFrom(store.append([dataFrame(seq, seq, { agent: 'bad', anomalies: () => many })]));
    }
    await eventually(() => expect(removed.size).toBeGreaterThan(5_000));
    await eventually(() => expect(storage.stats().usedBytes).toBeLessThan(1_000_000));
    expect(samplesRemoved).toBe(0);
    expect((await allSeqs(store)).length).toBe(6_001);
    expect(await startsOf(store)).toEqual([0]);
    await closeStore(store);
  });
});
