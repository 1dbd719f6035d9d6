import fc from 'fast-check';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import type { Arrival } from '../../protocol/arrival.ts';
import { CursorError } from './cursor-error.ts';
import type { AgentFrame, HqStore } from './store.ts';
import {
  closeStore,
  dataFrame,
  downsampledFrame,
  homes,
  openStore,
  START,
  schema,
} from './testing/frames.ts';
import { numbers } from './testing/read.ts';
import { KINDS, useStore } from './testing/use-store.ts';

const at = (second: number) => START + second * 1000;
const RANGE = { from: START, to: START + 1_000_000 };

async function arrivalsOf(
  store: HqStore,
  options: { limit?: number; gapMs?: number; from?: number; to?: number } = {},
) {
  const { limit = 1000, gapMs = 10_000, ...range } = options;
  const all: Arrival[] = [];
  let cursor: string | null = null;
  do {
    const query: Parameters<HqStore['arrivals']>[0] = {
      agent: 'a1',
      ...RANGE,
      ...range,
      limit,
      gapMs,
      cursor,
    };
    const page = await firstValueFrom(store.arrivals(query));
    all.push(...page.items);
    cursor = page.cursor;
  } while (cursor !== null);
  return all;
}

/** Live frames of one sample each that arrive 50 ms after it. */
const live = (first: number, last: number): AgentFrame[] =>
  numbers(first, last).map((seq) => dataFrame(seq, seq, { lane: 'live', arrivalTs: at(seq) + 50 }));

describe.each(KINDS)('arrivals in a store over %s', (kind) => {
  const used = useStore(kind);

  it('are one run as long as samples come as they are measured', async () => {
    await used.append(...live(1, 100));
    const run = {
      tsMin: at(1),
      tsMax: at(100),
      at0: at(1) + 50,
      at1: at(100) + 50,
      count: 100,
      lane: 'live',
    };
    expect(await arrivalsOf(used.store)).toEqual([run]);
    await used.reopen();
    expect(await arrivalsOf(used.store)).toEqual([run]);
    expect(await arrivalsOf(used.store, { from: at(11), to: at(21) })).toEqual([
      { ...run, tsMin: at(11), tsMax: at(20), at0: at(11) + 50, at1: at(20) + 50, count: 10 },
    ]);
  });

  it('tell what came late from what came at once', async () => {
    await used.append(...live(1, 20), ...live(81, 100));
    await used.append(dataFrame(21, 50, { arrivalTs: at(101) }), dataFrame(51, 80, { arrivalTs: at(102) }));
    expect(await arrivalsOf(used.store)).toEqual([
      { tsMin: at(1), tsMax: at(20), at0: at(1) + 50, at1: at(20) + 50, count: 20, lane: 'live' },
      { tsMin: at(21), tsMax: at(80), at0: at(101), at1: at(102), count: 60, lane: 'backlog' },
      { tsMin: at(81), tsMax: at(100), at0: at(81) + 50, at1: at(100) + 50, count: 20, lane: 'live' },
    ]);
    // With a longer gap what came at once is one run, though other samples lie between.
    expect((await arrivalsOf(used.store, { gapMs: 90_000 })).map(({ count }) => count)).toEqual([40, 60]);
  });

  it('count what a thinned row stands for, once, where it begins', async () => {
    await used.append(downsampledFrame(1, 64, { window: 8, arrivalTs: at(200) }));
    const [run] = await arrivalsOf(used.store);
    expect(run).toEqual({
      tsMin: at(1),
      tsMax: at(64),
      at0: at(200),
      at1: at(200),
      count: 64,
      lane: 'backlog',
    });
    const [part] = await arrivalsOf(used.store, { from: at(5), to: at(17) });
    expect(part).toMatchObject({ tsMin: at(9), tsMax: at(16), count: 8 });
  });

  it('refuse a cursor that is none', async () => {
    const query = { agent: 'a1', ...RANGE, limit: 1, gapMs: 1, cursor: 'bm8' };
    await expect(firstValueFrom(used.store.arrivals(query))).rejects.toThrow(CursorError);
  });
});

describe('arrivals of merged frames', () => {
  it('keep their times, and say where it is not known any more which way they came', async () => {
    const store = await openStore(await homes.memory().open());
    await firstValueFrom(store.putSchema('a1', schema));
    const mixed = numbers(1, 64).map((seq) =>
      dataFrame(seq, seq, { lane: seq % 2 === 0 ? 'live' : 'backlog', arrivalTs: at(seq) + 50 }),
    );
    await firstValueFrom(store.append([...mixed, ...live(65, 200)]));
    await eventually(async () => {
      const lanes = (await arrivalsOf(store)).map(({ lane, count }) => `${lane} ${count}`);
      expect(lanes.join()).toMatch(/mixed/);
    });
    const runs = await arrivalsOf(store);
    expect(runs.reduce((sum, { count }) => sum + count, 0)).toBe(200);
    expect(Math.max(...runs.map(({ at1 }) => at1))).toBe(at(200) + 50);
    await closeStore(store);
  });
});

describe('pages of arrivals', () => {
  it('count each sample once, however short they are', async () => {
    const piece = fc.record({
      first: fc.integer({ min: 1, max: 400 }),
      length: fc.integer({ min: 1, max: 60 }),
      lane: fc.constantFrom('live' as const, 'backlog' as const),
      arrival: fc.integer({ min: 0, max: 2000 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(1, 20_000, 500_000),
        async (pieces, limit, gapMs) => {
          const store = await openStore(await homes.memory().open());
          await firstValueFrom(store.putSchema('a1', schema));
          const seqs = new Set<number>();
          for (const { first, length, lane, arrival } of pieces) {
            await firstValueFrom(
              store.append([dataFrame(first, first + length - 1, { lane, arrivalTs: at(arrival) })]),
            );
            for (const seq of numbers(first, first + length - 1)) seqs.add(seq);
          }
          const paged = await arrivalsOf(store, { limit, gapMs });
          const whole = await arrivalsOf(store, { gapMs });
          for (const runs of [paged, whole]) {
            expect(runs.reduce((sum, { count }) => sum + count, 0)).toBe(seqs.size);
            for (const { tsMin, tsMax, at0, at1 } of runs) {
              expect(tsMin).toBeLessThanOrEqual(tsMax);
              expect(at0).toBeLessThanOrEqual(at1);
            }
            expect(Math.min(...runs.map(({ tsMin }) => tsMin))).toBe(at(Math.min(...seqs)));
            expect(Math.max(...runs.map(({ tsMax }) => tsMax))).toBe(at(Math.max(...seqs)));
          }
          await closeStore(store);
        },
      ),
      { numRuns: 40 },
    );
  });
});
