import { interval, lastValueFrom, mergeMap, takeWhile } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHqStore } from '../../src/hq/store/open-hq-store.ts';
import type { HqStore } from '../../src/hq/store/store.ts';
import { dataFrame, schema } from '../../src/hq/store/testing/frames.ts';
import { seededIds } from '../../src/platform/ids.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { now } from './support/now.ts';
import { type VirtualClock, virtualClock } from './support/virtual-clock.ts';

describe("the store's background work", () => {
  let clock: VirtualClock;
  let store: HqStore;
  let merged: number;
  beforeEach(() => {
    clock = virtualClock();
    merged = 0;
    openHqStore({
      storage: createMemoryStorage(),
      clock,
      ids: seededIds(seededRandom(1)),
      emit: (event) => {
        if (event.type === 'store_frames_compacted') merged += event.merged;
      },
    }).subscribe((opened) => {
      store = opened;
    });
    store.putSchema('a1', schema).subscribe();
  });
  afterEach(() => {
    const closed = lastValueFrom(store.close(), { defaultValue: null });
    clock.pass(10_000);
    return closed;
  });

  it('gets to the bottom of a backlog although fresh frames come all the time', () => {
    const backlog = Array.from({ length: 5000 }, (_, index) => dataFrame(index + 1, index + 1));
    store.append(backlog).subscribe();
    interval(20, clock.scheduler)
      .pipe(
        takeWhile((count) => count < 1000),
        mergeMap((count) => store.append([dataFrame(5001 + count, 5001 + count, { lane: 'live' })])),
      )
      .subscribe();
    clock.pass(20_000);
    expect(merged).toBeGreaterThan(5000);
    expect(now(store.lastSampleTs(['a1']))[0]).toBe(dataFrame(6000, 6000).header.tsMax);
  });

  /** Frames of one sample, appended with never a moment in which none is under way, or with a pause between them. */
  const feed = (pauseMs: number) => {
    const slow = createMemoryStorage({ commitDelayMs: 10, scheduler: clock.scheduler });
    const emit = (event: { readonly type: string }) => {
      if (event.type === 'store_frames_compacted') passes += 1;
    };
    let passes = 0;
    let over = false;
    const fed: HqStore[] = [];
    openHqStore({ storage: slow, clock, ids: seededIds(seededRandom(1)), emit }).subscribe((opened) => {
      fed.push(opened);
      opened.putSchema('a1', schema).subscribe();
      let seq = 1;
      const next = (): void => {
        if (over) return;
        const frames = Array.from({ length: 64 }, (_, index) => dataFrame(seq + index, seq + index));
        seq += 64;
        opened.append(frames).subscribe({
          complete: () => (pauseMs === 0 ? next() : clock.scheduler.schedule(next, pauseMs)),
        });
      };
      next();
    });
    clock.pass(10_000);
    over = true;
    clock.pass(100);
    for (const one of fed) one.close().subscribe();
    return passes;
  };

  it('yields to frames that wait without a break, but never stops', () => {
    const [calm, overloaded] = [feed(1), feed(0)];
    expect(overloaded).toBeGreaterThan(3);
    expect(overloaded).toBeLessThan(calm / 2);
  });
});
