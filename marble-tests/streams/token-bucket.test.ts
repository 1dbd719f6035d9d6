import { describe, expect, it } from 'vitest';
import { tokenBucket } from '../../src/streams/index.ts';
import { describeCases, marbles } from '../marbles.ts';

// One token in 4 ms.
const options = { capacity: 2, refillPerSecond: 250 };

describe('tokenBucket', () => {
  describeCases<string, string>(
    (scheduler) => tokenBucket(options, scheduler),
    {},
    {
      never: { source: '-', expected: '-', subscription: '^' },
      empty: { source: '--|', expected: '--|', subscription: '^-!' },
      single: { source: '-a|', expected: '-a|', subscription: '^-!' },
      many: { source: '(abcd|)', expected: '(ab)c---(d|)', subscription: '(^!)' },
      error: { source: '(abc)#', expected: '(ab)c#', subscription: '^----!' },
      'early unsubscribe': { source: '(abc)-', expected: '(ab)', subscription: '^--!', unsubscribe: '---!' },
    },
  );

  it('lets a burst through after idle time, but never more than its capacity', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const source$ = cold('   (ab) 96ms (cdef)|');
      expectObservable(source$.pipe(tokenBucket(options, scheduler))).toBe('(ab) 96ms (cd)e---(f|)');
    });
  });

  it('counts what flows in between values', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      expectObservable(cold('abcd|').pipe(tokenBucket(options, scheduler))).toBe('ab--c---(d|)');
    });
  });

  it('charges by cost', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const bytes = tokenBucket({ capacity: 10, refillPerSecond: 1000, costOf: Number }, scheduler);
      expectObservable(cold('(637|)').pipe(bytes)).toBe('(63)--(7|)');
    });
  });

  it('lets a value beyond its capacity through when full, and then pays off the debt', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const bytes = tokenBucket<string>(
        { capacity: 2, refillPerSecond: 1000, costOf: (value) => (value === 'x' ? 8 : 1) },
        scheduler,
      );
      // a leaves 1 of 2; x waits for the second token, then owes 6 and b costs 1 more.
      expectObservable(cold('(axb|)').pipe(bytes)).toBe('ax------(b|)');
    });
  });

  it('keeps to its rate in the long run', () => {
    marbles(({ cold, scheduler, flush }) => {
      const times: number[] = [];
      cold(`(${'a'.repeat(100)}|)`)
        .pipe(tokenBucket({ capacity: 5, refillPerSecond: 300 }, scheduler))
        .subscribe(() => times.push(scheduler.now()));
      flush();
      expect(times).toHaveLength(100);
      expect(times.at(-1)).toBeCloseTo((95 * 1000) / 300, 6);
    });
  });

  it('takes an infinite rate as no limit, and refuses none', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const free = tokenBucket<string>({ capacity: 1, refillPerSecond: Number.POSITIVE_INFINITY }, scheduler);
      expectObservable(cold('(abc)|').pipe(free)).toBe('(abc)|');
      expect(() => tokenBucket({ capacity: 1, refillPerSecond: 0 }, scheduler)).toThrow(/refillPerSecond/);
      expect(() => tokenBucket({ capacity: 0, refillPerSecond: 1 }, scheduler)).toThrow(/capacity/);
    });
  });
});
