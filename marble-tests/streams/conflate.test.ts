import { map, NEVER, of, range, Subject, take, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { conflate } from '../../src/streams/index.ts';
import { describeCases, marbles } from '../marbles.ts';

describe('conflate', () => {
  describeCases<string, string>(
    (scheduler) => conflate((value: string) => timer(5, scheduler).pipe(map(() => value))),
    {},
    {
      never: { source: '-', expected: '-', subscription: '^' },
      empty: { source: '--|', expected: '--|', subscription: '^-!' },
      single: { source: '-a|', expected: '------(a|)', subscription: '^-!' },
      many: {
        source: '-a-b-c-d-------|',
        expected: '------a----c----(d|)',
        subscription: '^--------------!',
      },
      error: { source: '-a-b--#', expected: '------#', subscription: '^-----!' },
      'early unsubscribe': { source: '-a-b-', expected: '----', subscription: '^--!', unsubscribe: '---!' },
    },
  );

  it('consumes one value at a time', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const consumer$ = cold('---|');
      expectObservable(cold('abc--d|').pipe(conflate(() => consumer$))).toBe('---------|');
      expectSubscriptions(consumer$.subscriptions).toBe(['^--!', '---^--!', '------^--!']);
    });
  });

  it('folds what came meanwhile, so that no delta is lost', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const slow = (value: string) => timer(6, scheduler).pipe(map(() => value));
      const result$ = cold('-a-b-c-d|').pipe(conflate(slow, (waiting, newer) => waiting + newer));
      expectObservable(result$).toBe('-------x-----(y|)', { x: 'a', y: 'bcd' });
    });
  });

  it('unsubscribes the consumer with its own consumer', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const consumer$ = cold('-');
      expectObservable(cold('a').pipe(conflate(() => consumer$)), '^--!').toBe('-');
      expectSubscriptions(consumer$.subscriptions).toBe('^--!');
    });
  });

  it('passes on errors of the consumer and of the fold', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source$ = cold('-ab-c-');
      expectObservable(source$.pipe(conflate(() => throwError(() => 'broken')))).toBe('-#', {}, 'broken');
      const fold = () => {
        throw 'unfoldable';
      };
      expectObservable(source$.pipe(conflate<string, never>(() => NEVER, fold))).toBe(
        '----#',
        {},
        'unfoldable',
      );
      expectSubscriptions(source$.subscriptions).toBe(['^!', '^---!']);
    });
  });

  it('neither grows the stack nor outlives its consumer on synchronous streams', () => {
    let last = 0;
    range(0, 200_000)
      .pipe(conflate((value) => of(value)))
      .subscribe((value) => {
        last = value;
      });
    expect(last).toBe(199_999);
    const loop$ = new Subject<number>();
    loop$.pipe(conflate((value) => of(value + 1))).subscribe((value) => {
      last = value;
      if (value < 100_000) loop$.next(value);
    });
    loop$.next(0);
    expect(last).toBe(100_000);
    const firsts: number[] = [];
    range(0, Number.POSITIVE_INFINITY)
      .pipe(
        conflate(() => range(0, Number.POSITIVE_INFINITY)),
        take(2),
      )
      .subscribe((value) => firsts.push(value));
    expect(firsts).toEqual([0, 1]);
  });
});
