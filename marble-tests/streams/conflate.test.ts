import { EMPTY, map, NEVER, of, range, Subject, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { conflate } from '../../src/streams/index.ts';
import { describeCases, marbles } from '../marbles.ts';

const append = (gathered: string[] | null, value: string): string[] => {
  if (gathered === null) return [value];
  gathered.push(value);
  return gathered;
};
const joined = map((letters: string[]) => letters.join(''));

describe('conflate', () => {
  describeCases<string, string>(
    (scheduler) => (source) =>
      source.pipe(
        conflate(() => timer(5, scheduler), append),
        joined,
      ),
    { outputs: { x: 'ab', y: 'cd', a: 'a' } },
    {
      never: { source: '-', expected: '-', subscription: '^' },
      empty: { source: '--|', expected: '--|', subscription: '^-!' },
      single: { source: '-a|', expected: '------(a|)', subscription: '^-!' },
      many: { source: '-a-b----c-d---|', expected: '------x------y|', subscription: '^-------------!' },
      error: { source: '-a-b--#', expected: '------#', subscription: '^-----!' },
      'early unsubscribe': { source: '-a-b-', expected: '----', subscription: '^--!', unsubscribe: '---!' },
    },
  );

  it('waits for its consumer only while something waits for that', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const ready$ = cold('---r');
      const result$ = cold('-ab-----c|').pipe(
        conflate(() => ready$, append),
        joined,
      );
      expectObservable(result$).toBe('----x------(c|)', { x: 'ab', c: 'c' });
      expectSubscriptions(ready$.subscriptions).toBe(['-^--!', '--------^--!']);
    });
  });

  it('lets what waits out later when its consumer was never ready', () => {
    marbles(({ cold, expectObservable }) => {
      let asked = 0;
      const ready = () => {
        asked += 1;
        return asked === 1 ? EMPTY : of(true);
      };
      expectObservable(cold('-a-b-').pipe(conflate(ready, append), joined)).toBe('---x-', { x: 'ab' });
    });
  });

  it('leaves its consumer alone once it is left itself', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const ready$ = cold('-');
      expectObservable(cold('a').pipe(conflate(() => ready$, append)), '^--!').toBe('-');
      expectSubscriptions(ready$.subscriptions).toBe('^--!');
    });
  });

  it('passes on errors of its consumer and of gathering', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source$ = cold('-ab-c-');
      expectObservable(source$.pipe(conflate(() => throwError(() => 'broken'), append))).toBe(
        '-#',
        {},
        'broken',
      );
      const gather = (gathered: string[] | null, value: string): string[] => {
        if (gathered !== null) throw 'ungatherable';
        return [value];
      };
      expectObservable(source$.pipe(conflate(() => NEVER, gather))).toBe('--#', {}, 'ungatherable');
      expectSubscriptions(source$.subscriptions).toBe(['^!', '^-!']);
    });
  });

  it('gathers afresh what its consumer makes the source emit', () => {
    const loop$ = new Subject<string>();
    const seen: string[] = [];
    loop$
      .pipe(
        conflate(() => of(true), append),
        joined,
      )
      .subscribe((letters) => {
        seen.push(letters);
        if (seen.length < 3) loop$.next('b');
      });
    loop$.next('a');
    expect(seen).toEqual(['a', 'b', 'b']);
  });

  it('neither grows the stack nor loses anything on synchronous streams', () => {
    let sum = 0;
    range(1, 200_000)
      .pipe(
        conflate(
          () => of(true),
          (gathered: number[] | null, value: number) => [...(gathered ?? []), value],
        ),
      )
      .subscribe((values) => {
        for (const value of values) sum += value;
      });
    expect(sum).toBe((200_000 * 200_001) / 2);
  });
});
