import { firstValueFrom, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { encodeSamples, readHeader } from '../../protocol/frame-codec.ts';
import type { Anomaly } from '../../protocol/sample.ts';
import { internSchema } from '../../protocol/schema-ref.ts';
import { createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import type { Storage } from '../../storage/storage.ts';
import type { HqStore } from './store.ts';
import { closeStore, dataFrame, openStore, START, sampleOf, schema, testClock } from './testing/frames.ts';
import { allSeqs, ledgerOf, numbers, numbersOf, readPage } from './testing/read.ts';

describe('HQ store behind its users', () => {
  const clock = testClock(START + 1_000_000);

  it('removes nothing for its age when the clock leaps by years', async () => {
    const leaping = testClock(START);
    const told: string[] = [];
    const store = await openStore(createMemoryStorage(), {
      clock: leaping,
      maxAgeMs: 500_000,
      emit: ({ type }) => void told.push(type),
    });
    await firstValueFrom(store.append([dataFrame(1, 10, { arrivalTs: START })]));
    leaping.set(START + 10 * 365 * 86_400_000);
    await eventually(() => expect(told).toContain('store_clock_leapt'));
    await firstValueFrom(timer(1_500));
    expect(told).not.toContain('store_retention_removed');
    expect(await allSeqs(store)).toEqual(numbers(1, 10));
    await closeStore(store);
  });

  it('merges small frames and shows the same samples as before', async () => {
    const events: string[] = [];
    const merged = new Promise<void>((resolve) => {
      events.length = 0;
      void openStore(createMemoryStorage(), {
        clock,
        emit: (event) => {
          if (event.type === 'store_frames_compacted') resolve();
        },
      }).then(async (store) => {
        await firstValueFrom(store.putSchema('a1', schema));
        for (let seq = 1; seq <= 200; seq += 1) {
          await firstValueFrom(store.append([dataFrame(seq, seq, { lane: 'live', arrivalTs: START + seq })]));
        }
        opened = store;
      });
    });
    let opened: HqStore | undefined;
    await merged;
    if (opened === undefined) throw new Error('merged before everything was stored');
    const page = await readPage(opened, 1000, null);
    expect(page.items.map(({ seq }) => seq)).toEqual(numbers(1, 200));
    expect(page.items.map(({ arrivalTs }) => arrivalTs)).toEqual(numbers(1, 200).map((seq) => START + seq));
    expect(await ledgerOf(opened)).toMatchObject([{ stored: 200, pending: 0 }]);
    await closeStore(opened);
  });

  it('merges no more values at once than it can beside its users', async () => {
    const series = Array.from({ length: 1_000 }, (_, index) => ({
      name: `m.${index}`,
      attributes: {},
      unit: '',
    }));
    const wide = internSchema({ ...schema, series });
    let sizes: { merged: number; into: number } | null = null;
    const store = await openStore(createMemoryStorage(), {
      clock,
      emit: (event) => {
        if (event.type === 'store_frames_compacted') sizes = { merged: event.merged, into: event.into };
      },
    });
    await firstValueFrom(store.putSchema('a1', wide));
    // 8,000 values in each of them.
    const frameOf = (first: number) => {
      const samples = numbers(first, first + 7).map((seq) => ({
        ...sampleOf(seq),
        schema: wide,
        values: series.map(() => 7),
      }));
      const bytes = encodeSamples({ epoch: dataFrame(1, 1).header.epoch, firstSeq: first, samples });
      return { ...dataFrame(1, 1), lane: 'live' as const, header: readHeader(bytes), bytes };
    };
    for (let frame = 0; frame < 65; frame += 1) await firstValueFrom(store.append([frameOf(1 + 8 * frame)]));
    await eventually(() => expect(sizes).toEqual({ merged: 64, into: 8 }));
    await closeStore(store);
  });

  it('notes the anomalies of a frame in commits that others need not wait for', async () => {
    const memory = createMemoryStorage();
    let most = 0;
    const counting: Storage = {
      ...memory,
      commit: (work) =>
        memory.commit((writer) => {
          let puts = 0;
          const put = (key: Uint8Array, value: Uint8Array) => {
            puts += 1;
            writer.put(key, value);
          };
          const result = work({ ...writer, put });
          most = Math.max(most, puts);
          return result;
        }),
    };
    const store = await openStore(counting, { clock });
    await firstValueFrom(store.putSchema('a1', schema));
    const anomalies = numbers(1, 3_000).map(
      (n): Anomaly => ({
        series: 0,
        state: 'closed',
        startTs: START + n,
        peakTs: START + n,
        peakValue: 1,
        peakZ: 4,
        mean: 0,
        stddev: 1,
        endTs: START + n,
      }),
    );
    await firstValueFrom(store.append([dataFrame(1, 1, { anomalies: () => anomalies })]));
    await eventually(async () => expect((await numbersOf(store)).anomalies.total).toBe(3_000));
    expect(most).toBeLessThan(300);
    await closeStore(store);
  });

  it('removes samples past their age and goes on counting them', async () => {
    let removed = () => {};
    const gone = new Promise<void>((resolve) => {
      removed = resolve;
    });
    const store = await openStore(createMemoryStorage(), {
      clock,
      maxAgeMs: 500_000,
      emit: (event) => {
        if (event.type === 'store_retention_removed') removed();
      },
    });
    await firstValueFrom(
      store.append([
        dataFrame(1, 10, { arrivalTs: START }),
        dataFrame(11, 20, { arrivalTs: START + 900_000 }),
      ]),
    );
    await gone;
    expect(await allSeqs(store)).toEqual(numbers(11, 20));
    expect(await ledgerOf(store)).toMatchObject([{ sampled: 20, stored: 20, pending: 0, contiguous: 20 }]);
    expect((await firstValueFrom(store.append([dataFrame(1, 10)])))[0]).toMatchObject({ duplicates: 10 });
    await closeStore(store);
  });
});
