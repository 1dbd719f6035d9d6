import { range, take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { collect } from '../../src/streams/index.ts';
import { describeCases, marbles } from '../marbles.ts';

describe('collect', () => {
  describeCases<string, readonly string[]>(
    (scheduler) => collect({ maxMs: 4, maxCount: 3 }, scheduler),
    { outputs: { x: ['a'], y: ['a', 'b', 'c'], z: ['d'] } },
    {
      never: { source: '-', expected: '-', subscription: '^' },
      empty: { source: '--|', expected: '--|', subscription: '^-!' },
      single: { source: '-a--------|', expected: '-----x----|', subscription: '^---------!' },
      many: { source: '-a-bcd-----|', expected: '----y----z-|', subscription: '^----------!' },
      error: { source: '-a-#', expected: '---(x#)', subscription: '^--!' },
      'early unsubscribe': {
        source: '-a-b-c',
        expected: '----',
        subscription: '^--!',
        unsubscribe: '---!',
      },
    },
  );

  it('counts the time from the first value of each batch, not from a grid', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const source$ = cold('a----------b-c-d----|');
      const expected = '    -----x----------y---|';
      const values = { x: ['a'], y: ['b', 'c', 'd'] };
      expectObservable(source$.pipe(collect({ maxMs: 5 }, scheduler))).toBe(expected, values);
    });
  });

  it('makes every value a batch of its own when maxMs is 0', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      expectObservable(cold('(ab)-c|').pipe(collect({ maxMs: 0 }, scheduler))).toBe('(ab)-c|', {
        a: ['a'],
        b: ['b'],
        c: ['c'],
      });
    });
  });

  it('never exceeds maxBytes except by one value that is larger alone', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const options = { maxMs: 100, maxBytes: 5, sizeOf: Number };
      expectObservable(cold('23-1-9---5|').pipe(collect(options, scheduler))).toBe('-a---(bc)d|', {
        a: ['2', '3'],
        b: ['1'],
        c: ['9'],
        d: ['5'],
      });
    });
  });

  it('hands over what it has before a sizeOf that throws', () => {
    marbles(({ cold, expectObservable, expectSubscriptions, scheduler }) => {
      const source$ = cold('-a-b-c|');
      const sizeOf = (value: string) => {
        if (value === 'b') throw 'error';
        return 1;
      };
      expectObservable(source$.pipe(collect({ maxMs: 9, sizeOf }, scheduler))).toBe('---(x#)', { x: ['a'] });
      expectSubscriptions(source$.subscriptions).toBe('^--!');
    });
  });

  it('stops an endless synchronous source when its consumer has enough', () => {
    marbles(({ expectObservable, scheduler }) => {
      const endless$ = range(0, Number.POSITIVE_INFINITY);
      expectObservable(endless$.pipe(collect({ maxMs: 9, maxCount: 2 }, scheduler), take(1))).toBe('(x|)', {
        x: [0, 1],
      });
    });
  });

  it('refuses limits that make no batch', () => {
    marbles(({ scheduler }) => {
      expect(() => collect({ maxMs: -1 }, scheduler)).toThrow(RangeError);
      expect(() => collect({ maxMs: 1, maxCount: 0 }, scheduler)).toThrow(RangeError);
      expect(() => collect({ maxMs: 1, maxBytes: 0 }, scheduler)).toThrow(RangeError);
    });
  });
});
