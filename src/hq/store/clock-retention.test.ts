/** Retention by age where HQ's own clock was wrong when samples arrived. */
import { firstValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import { retentionReason } from './retention.ts';
import { closeStore, dataFrame, openStore, START, schema, testClock } from './testing/frames.ts';
import { allSeqs, numbers } from './testing/read.ts';

const DAY = 86_400_000;
const YEAR = 365 * DAY;
const FRAME = 300;

/** Frames that go into the index at once, each arrived at its time. */
async function stored(arrivals: readonly number[], nowTs: number) {
  let removed = 0;
  const storage = createMemoryStorage();
  const store = await openStore(storage, {
    clock: testClock(nowTs),
    emit: (event) => {
      if (event.type === 'store_retention_removed') removed += event.frames;
    },
  });
  await firstValueFrom(store.putSchema('a1', schema));
  const frames = arrivals.map((arrivalTs, at) => dataFrame(at * FRAME + 1, (at + 1) * FRAME, { arrivalTs }));
  await firstValueFrom(store.append(frames));
  return { store, storage, removed: () => removed };
}

it('goes on past frames that came while the clock was years ahead, and takes them with those behind them', async () => {
  const ahead = Array.from({ length: 5 }, (_, at) => START + 10 * YEAR + at);
  const old = Array.from({ length: 300 }, (_, at) => START + at);
  const young = [START + 35 * DAY, START + 36 * DAY];
  const { store, removed } = await stored([...ahead, ...old, ...young], START + 40 * DAY);
  await eventually(() => expect(removed()).toBe(305));
  expect(await allSeqs(store, 10_000)).toEqual(numbers(305 * FRAME + 1, 307 * FRAME));
  await closeStore(store);
});

it('leaves alone what came while the clock was ahead, as long as nothing behind it is too old', async () => {
  const now = START + 40 * DAY;
  const age = { now, cutoff: now - 30 * DAY, isFull: false };
  const ahead = [START + 10 * YEAR, START + 10 * YEAR];
  for (const behind of [[], [START + 35 * DAY], [START + 35 * DAY, START + 10 * YEAR]]) {
    const { store, storage } = await stored([...ahead, ...behind], now);
    expect(retentionReason(storage, age)).toBeNull();
    expect(retentionReason(storage, { ...age, isFull: true })).toBe('size');
    await closeStore(store);
  }
});
