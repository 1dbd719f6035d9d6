import { concatMap, delay, EMPTY, NEVER, type Observable, of, range, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createCollectAll, type Round } from '../../src/agent/sources/collect/collect-all.ts';
import type { Collector, Reading } from '../../src/agent/sources/collect/collector.ts';
import { marbles } from '../marbles.ts';
import { recorder, virtualClock } from './support.ts';

const reading = (name: string, value: number): Reading => ({
  series: { name, attributes: {}, unit: '' },
  value,
});

/** Runs one round a second with collectors that do what `behave` says for the nth time they are asked. */
function rounds(
  count: number,
  behave: Readonly<Record<string, (nth: number) => Observable<readonly Reading[]>>>,
) {
  const { emit, events } = recorder();
  const asked: Record<string, number> = {};
  const results: (Round & { readonly at: number })[] = [];
  marbles(({ scheduler }) => {
    const collectors = Object.entries(behave).map(
      ([name, answer]): Collector => ({
        name,
        collect: () => {
          asked[name] = (asked[name] ?? 0) + 1;
          return answer(asked[name]);
        },
      }),
    );
    const clock = virtualClock(scheduler);
    const all = createCollectAll(collectors, { source: 'host', timeoutMs: 300, clock, emit });
    range(0, count)
      .pipe(concatMap((index) => timer(index * 1000 - scheduler.now(), scheduler).pipe(concatMap(all.round))))
      .subscribe({
        next: (round) => results.push({ ...round, at: scheduler.now() }),
        complete: all.dispose,
      });
  });
  const values = results.map(({ readings }) =>
    Object.fromEntries(readings.map(({ series, value }) => [series.name, value])),
  );
  return { results, values, events, asked };
}

describe('collectors side by side', () => {
  it('give their readings in their own order, whichever is first', () => {
    marbles(({ scheduler }) => {
      const clock = virtualClock(scheduler);
      const { emit } = recorder();
      const slow: Collector = {
        name: 'slow',
        collect: () => of([reading('s', 1)]).pipe(delay(50, scheduler)),
      };
      const fast: Collector = { name: 'fast', collect: () => of([reading('f', 2)]) };
      createCollectAll([slow, fast], { source: 'host', timeoutMs: 300, clock, emit })
        .round()
        .subscribe(({ readings }) => {
          expect(scheduler.now()).toBe(50);
          expect(readings.map(({ series }) => series.name)).toEqual(['s', 'f']);
        });
    });
  });

  it('one that fails has no values, says so once, and recovers; the others go on', () => {
    const { values, events, results } = rounds(5, {
      good: (nth) => of([reading('g', nth)]),
      bad: (nth) => (nth === 2 || nth === 3 ? throwError(() => new Error('EIO')) : of([reading('b', nth)])),
    });
    expect(values).toEqual([
      { g: 1, b: 1 },
      { g: 2, b: null },
      { g: 3, b: null },
      { g: 4, b: 4 },
      { g: 5, b: 5 },
    ]);
    expect(events).toEqual([
      { type: 'collector_failed', source: 'host', collector: 'bad', reason: 'EIO' },
      { type: 'collector_recovered', source: 'host', collector: 'bad' },
    ]);
    expect(
      results.map(({ diagnostics }) => diagnostics.map(({ code, detail }) => `${code} ${detail}`)),
    ).toEqual([[], ['stale collector bad: EIO'], [], [], []]);
  });

  it('one that hangs costs a wait once, is not asked again while it hangs, and stops no other', () => {
    const { values, results, asked, events } = rounds(4, {
      good: (nth) => of([reading('g', nth)]),
      hangs: (nth) => (nth === 1 ? of([reading('h', 1)]) : NEVER),
    });
    expect(values.map(({ h }) => h)).toEqual([1, null, null, null]);
    expect(values.map(({ g }) => g)).toEqual([1, 2, 3, 4]);
    expect(results.map(({ at }) => at)).toEqual([0, 1300, 2000, 3000]);
    expect(asked.hangs).toBe(2);
    expect(events.map(({ reason }) => reason)).toEqual(['no answer within 300 ms']);
  });

  it('one that answers late is asked again afterwards', () => {
    const { values } = rounds(4, {
      late: (nth) =>
        nth === 1 ? timer(1500).pipe(concatMap(() => of([reading('l', 1)]))) : of([reading('l', nth)]),
    });
    expect(values).toEqual([{}, {}, { l: 2 }, { l: 3 }]);
  });

  it('one that throws or says nothing is no different', () => {
    const { values } = rounds(2, {
      throws: () => {
        throw new Error('bug');
      },
      silent: () => EMPTY,
      good: (nth) => of([reading('g', nth)]),
    });
    expect(values).toEqual([{ g: 1 }, { g: 2 }]);
  });
});
