import { concat, map, NEVER, of, range, Subject, take, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { WindowOverflowError, windowed } from '../../src/streams/index.ts';
import { describeCases, marbles } from '../marbles.ts';

describe('windowed', () => {
  describeCases<string, string>(
    (scheduler) =>
      windowed({ credit$: of(2) }, (value: string) => timer(4, scheduler).pipe(map(() => value))),
    {},
    {
      never: { source: '-', expected: '-', subscription: '^' },
      empty: { source: '--|', expected: '--|', subscription: '^-!' },
      single: { source: '-a|', expected: '-----(a|)', subscription: '^-!' },
      many: { source: 'abcd|', expected: '----ab--c(d|)', subscription: '^---!' },
      error: { source: 'abc--#', expected: '----a#', subscription: '^----!' },
      'early unsubscribe': {
        source: 'abc',
        expected: '----a-',
        subscription: '^----!',
        unsubscribe: '-----!',
      },
    },
  );

  it('starts nothing before the first credit and follows it up and down', () => {
    marbles(({ cold, hot, expectObservable, expectSubscriptions, scheduler }) => {
      const credit$ = hot('  --2-----1-------');
      const source$ = cold(' (abcdef|)');
      const result$ = source$.pipe(
        windowed({ credit$: credit$.pipe(map(Number)) }, (value: string) =>
          timer(5, scheduler).pipe(map(() => value)),
        ),
      );
      expectObservable(result$).toBe('-------(ab)-(cd)-e----(f|)');
      expectSubscriptions(credit$.subscriptions).toBe('^---------------------!');
    });
  });

  it('starts no more than a lowered credit, and lets what runs end', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const credit$ = cold('2----1', { 2: 2, 1: 1 });
      const slow = (value: string) => timer(4, scheduler).pipe(map(() => value.toUpperCase()));
      expectObservable(cold('abcd|').pipe(windowed({ credit$ }, slow))).toBe('----AB--C---(D|)');
    });
  });

  it('bounds what waits and says so when it is exceeded', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source$ = cold('-abcd-');
      const result$ = source$.pipe(windowed({ credit$: of(1), maxWaiting: 2 }, () => NEVER));
      expectObservable(result$).toBe('----#', {}, new WindowOverflowError(2));
      expectSubscriptions(source$.subscriptions).toBe('^---!');
    });
  });

  it('keeps the last credit when credit$ ends, and fails with it', () => {
    marbles(({ cold, expectObservable }) => {
      const project = (value: string) => of(value);
      expectObservable(cold('--a|').pipe(windowed({ credit$: of(1) }, project))).toBe('--a|');
      const lost$ = concat(of(1), timer(0)).pipe(map(() => 1));
      expectObservable(cold('-a').pipe(windowed({ credit$: throwError(() => 'error') }, project))).toBe('#');
      expectObservable(cold('-(a|)').pipe(windowed({ credit$: lost$ }, project))).toBe('-(a|)');
    });
  });

  it('ends all projections when one fails or the consumer leaves', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const calm$ = cold('-----');
      const project = (value: string) => (value === 'x' ? throwError(() => 'error') : calm$);
      expectObservable(cold('ab-x').pipe(windowed({ credit$: of(9) }, project))).toBe('---#');
      expectObservable(cold('a').pipe(windowed({ credit$: of(9) }, project)), '^-!').toBe('-');
      expectSubscriptions(calm$.subscriptions).toBe(['^--!', '^-!', '-^-!']);
    });
  });

  it('neither grows the stack nor outlives its consumer on synchronous streams', () => {
    let count = 0;
    range(0, 200_000)
      .pipe(windowed({ credit$: of(1) }, (value) => of(value)))
      .subscribe(() => {
        count += 1;
      });
    expect(count).toBe(200_000);
    const credit$ = new Subject<number>();
    range(0, 50_000)
      .pipe(windowed({ credit$, maxWaiting: 50_000 }, (value) => of(value)))
      .subscribe(() => {
        count += 1;
      });
    credit$.next(1);
    expect(count).toBe(250_000);
    const firsts: number[] = [];
    range(0, Number.POSITIVE_INFINITY)
      .pipe(
        windowed({ credit$: of(1) }, (value) => of(value)),
        take(2),
      )
      .subscribe((value) => firsts.push(value));
    expect(firsts).toEqual([0, 1]);
  });
});
