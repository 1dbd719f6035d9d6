import { describe, expect, it } from 'vitest';
import { conflateEvery } from '../../src/streams/index.ts';
import { describeCases, marbles } from '../marbles.ts';

describe('conflateEvery', () => {
  describeCases<string, string>(
    (scheduler) => conflateEvery(5, scheduler),
    {},
    {
      never: { source: '-', expected: '-', subscription: '^' },
      empty: { source: '--|', expected: '--|', subscription: '^-!' },
      single: { source: '-a|', expected: '-a----|', subscription: '^-!' },
      many: {
        source: 'a-b-c-------d---|',
        expected: 'a----c------d----|',
        subscription: '^---------------!',
      },
      error: { source: 'a-b#', expected: 'a--#', subscription: '^--!' },
      'early unsubscribe': { source: 'a-b', expected: 'a---', subscription: '^--!', unsubscribe: '---!' },
    },
  );

  it('folds the values of a period', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const joined = conflateEvery<string>(5, scheduler, (waiting, newer) => waiting + newer);
      expectObservable(cold('a-b-c|').pipe(joined)).toBe('a----x----|', { a: 'a', x: 'bc' });
    });
  });

  it('refuses a period below a millisecond', () => {
    marbles(({ scheduler }) => {
      expect(() => conflateEvery(0, scheduler)).toThrow(RangeError);
    });
  });
});
