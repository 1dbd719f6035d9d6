import { describe, it } from 'vitest';
import { createPace } from '../../src/delivery/pace.ts';
import { marbles } from '../marbles.ts';

describe('pace', () => {
  it('lets everything go at once where it has no limit', () => {
    marbles(({ expectObservable, scheduler }) => {
      const pace = createPace(0, scheduler);
      for (const bytes of [1, 1e9]) expectObservable(pace(bytes)).toBe('(a|)', { a: true });
    });
  });

  it('lets a burst of one second go, and the others in the order they came', () => {
    marbles(({ expectObservable, scheduler }) => {
      const pace = createPace(1_000, scheduler);
      expectObservable(pace(1_000)).toBe('(a|)', { a: true });
      expectObservable(pace(5)).toBe('-----(a|)', { a: true });
      expectObservable(pace(2)).toBe('-------(a|)', { a: true });
    });
  });

  it('asks nothing for one that nobody waits for any more', () => {
    marbles(({ expectObservable, scheduler }) => {
      const pace = createPace(1_000, scheduler);
      expectObservable(pace(1_000)).toBe('(a|)', { a: true });
      expectObservable(pace(3)).toBe('---(a|)', { a: true });
      expectObservable(pace(500), '-^!').toBe('-');
      expectObservable(pace(2), '--^').toBe('-----(a|)', { a: true });
    });
  });
});
