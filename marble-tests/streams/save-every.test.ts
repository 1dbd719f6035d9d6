import { EMPTY, NEVER, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { saveEvery } from '../../src/streams/index.ts';
import { describeCases, marbles } from '../marbles.ts';

describe('saveEvery', () => {
  describeCases<string, string>(
    (scheduler) => saveEvery(3, () => timer(1, scheduler), scheduler),
    {},
    {
      never: { source: '-', expected: '-', subscription: '^' },
      empty: { source: '---|', expected: '----|', subscription: '^--!' },
      single: { source: '-a-|', expected: '-a--|', subscription: '^--!' },
      many: { source: '-a-b-c-|', expected: '-a-b-c--|', subscription: '^------!' },
      error: { source: '-a-b-#', expected: '-a-b-#', subscription: '^----!' },
      'early unsubscribe': {
        source: '-a-b-c-',
        expected: '-a-b-',
        subscription: '^---!',
        unsubscribe: '----!',
      },
    },
  );

  /** When saves begin, while the source emits and completes. */
  const savesOf = (source: string, saveMs: number, unsubscribe = '20ms !') => {
    const begun: number[] = [];
    marbles(({ hot, scheduler, expectObservable }) => {
      const saved$ = hot(source).pipe(
        saveEvery(
          4,
          () => {
            begun.push(scheduler.now());
            return timer(saveMs, scheduler);
          },
          scheduler,
        ),
      );
      expectObservable(saved$, unsubscribe).toBe(
        source.includes('|') ? `${source.slice(0, -1)}${'-'.repeat(saveMs)}|` : source,
      );
    });
    return begun;
  };

  it('saves a while after the first value that is not saved, and not while none comes', () => {
    expect(savesOf('ab-c---------d-', 1)).toEqual([4, 17]);
  });

  it('saves once more at the end, after what is under way', () => {
    expect(savesOf('ab-------|', 1)).toEqual([4, 9]);
    expect(savesOf('ab---|', 1)).toEqual([4, 5]);
  });

  it('saves one at a time', () => {
    expect(savesOf('aaaaaaaaaaaaaaaa', 9)).toEqual([4, 14]);
  });

  it('leaves a save when its consumer leaves, and saves no more', () => {
    expect(savesOf('a------', 2, '5ms !')).toEqual([4]);
  });

  it('passes errors of a save, and completes with saves that emit nothing', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const failing$ = cold('a------').pipe(saveEvery(4, () => throwError(() => 'error'), scheduler));
      expectObservable(failing$).toBe('a---#');
      expectObservable(cold('a-|').pipe(saveEvery(4, () => EMPTY, scheduler))).toBe('a-|');
      expectObservable(cold('a-|').pipe(saveEvery(4, () => NEVER, scheduler))).toBe('a--');
    });
  });

  it('refuses a time that is none', () => {
    expect(() => saveEvery(0, () => EMPTY, undefined as never)).toThrow(RangeError);
  });
});
