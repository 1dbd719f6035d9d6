import { defer, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type RetryNotice, type RetryVerdict, retryWith } from '../../src/streams/index.ts';
import { describeCases, marbles } from '../marbles.ts';

const random = { next: () => 0.5 };
const retry: RetryVerdict = { kind: 'retry', reason: 'down' };
const exact = { initialMs: 2, maxMs: 8, jitter: 'none' as const };

describe('retryWith', () => {
  describeCases<string, string>(
    (scheduler) =>
      retryWith(
        { classify: () => retry, backoff: { ...exact, initialMs: 3 }, maxAttempts: 2 },
        random,
        scheduler,
      ),
    {},
    {
      never: { source: '-', expected: '-', subscription: '^' },
      empty: { source: '--|', expected: '--|', subscription: '^-!' },
      single: { source: '-a|', expected: '-a|', subscription: '^-!' },
      many: { source: '-abc|', expected: '-abc|', subscription: '^---!' },
      error: { source: '--#', expected: '-------#', subscription: ['^-!', '-----^-!'] },
      'early unsubscribe': {
        source: '--#',
        expected: '----',
        subscription: '^-!',
        unsubscribe: '---!',
      },
    },
  );

  it('waits longer from failure to failure', () => {
    marbles(({ cold, expectObservable, expectSubscriptions, scheduler }) => {
      const source$ = cold('#');
      const result$ = source$.pipe(
        retryWith({ classify: () => retry, backoff: exact, maxAttempts: 5 }, random, scheduler),
      );
      expectObservable(result$).toBe('22ms #');
      expectSubscriptions(source$.subscriptions).toBe([
        '(^!)',
        '--(^!)',
        '------(^!)',
        '--------------(^!)',
        '22ms (^!)',
      ]);
    });
  });

  it('begins again, attempts and delays, after a value', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const attempts = [cold('#'), cold('#'), cold('a#'), cold('#'), cold('b|')];
      const result$ = defer(() => attempts.shift() ?? of('none left')).pipe(
        retryWith({ classify: () => retry, backoff: exact, maxAttempts: 3 }, random, scheduler),
      );
      // Delays 2 and 4, then after a 2 and 4 again.
      expectObservable(result$).toBe('------a------b|');
    });
  });

  it('gives up at once with the error itself when the verdict says so', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const classify = (error: unknown): RetryVerdict =>
        error === 'refused' ? { kind: 'give-up', reason: 'refused' } : retry;
      const attempts = [cold('#', {}, 'down'), cold('-#', {}, 'refused')];
      const result$ = defer(() => attempts.shift() ?? of('none left')).pipe(
        retryWith({ classify, backoff: exact }, random, scheduler),
      );
      expectObservable(result$).toBe('---#', {}, 'refused');
    });
  });

  it('leaves the other side alone for as long as it asks, and the backoff on top', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const attempts = [cold('#'), cold('a|')];
      const result$ = defer(() => attempts.shift() ?? of('none left')).pipe(
        retryWith({ classify: () => ({ ...retry, afterMs: 10 }), backoff: exact }, random, scheduler),
      );
      expectObservable(result$).toBe('12ms a|');
    });
  });

  it('draws its jitter from the random source that it is given', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const attempts = [cold('#'), cold('a|')];
      const result$ = defer(() => attempts.shift() ?? of('none left')).pipe(
        retryWith(
          { classify: () => retry, backoff: { initialMs: 10, maxMs: 10, jitter: 'full' } },
          { next: () => 0.4 },
          scheduler,
        ),
      );
      expectObservable(result$).toBe('----a|');
    });
  });

  it('tells of every retry before its delay', () => {
    marbles(({ cold, scheduler, flush }) => {
      const notices: RetryNotice[] = [];
      cold('#')
        .pipe(
          retryWith(
            {
              classify: () => retry,
              backoff: exact,
              maxAttempts: 3,
              onRetry: (notice) => notices.push(notice),
            },
            random,
            scheduler,
          ),
        )
        .subscribe({ error: () => {} });
      flush();
      expect(notices).toEqual([
        { error: 'error', reason: 'down', attempt: 1, delayMs: 2 },
        { error: 'error', reason: 'down', attempt: 2, delayMs: 4 },
      ]);
    });
  });

  it('makes a throw of classify the error', () => {
    marbles(({ expectObservable, scheduler }) => {
      const classify = () => {
        throw 'confused';
      };
      const result$ = throwError(() => 'down').pipe(
        retryWith({ classify, backoff: exact }, random, scheduler),
      );
      expectObservable(result$).toBe('#', {}, 'confused');
    });
  });

  it('refuses bad options before anything fails', () => {
    marbles(({ scheduler }) => {
      const bad = { ...exact, maxMs: 1 };
      expect(() => retryWith({ classify: () => retry, backoff: bad }, random, scheduler)).toThrow(RangeError);
      expect(() =>
        retryWith({ classify: () => retry, backoff: exact, maxAttempts: 0 }, random, scheduler),
      ).toThrow(RangeError);
    });
  });
});
