import {
  catchError,
  concat,
  defer,
  distinctUntilChanged,
  EMPTY,
  map,
  NEVER,
  type Observable,
  of,
  take,
  throwError,
} from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  BreakerOpenError,
  type BreakerState,
  type CircuitBreaker,
  circuitBreaker,
} from '../../src/streams/index.ts';
import { describeCases, marbles } from '../marbles.ts';

const options = { failuresToOpen: 2, openMs: 10, halfOpenProbes: 2 };
const fails$ = throwError(() => 'down');

function call(breaker: CircuitBreaker, source$: Observable<unknown>): unknown {
  let seen: unknown = 'nothing';
  breaker.protect(source$).subscribe({
    error: (error) => {
      seen = error;
    },
    complete: () => {
      seen = 'completed';
    },
  });
  return seen;
}

function opened(breaker: CircuitBreaker): CircuitBreaker {
  for (let count = 0; count < options.failuresToOpen; count += 1) call(breaker, fails$);
  return breaker;
}

describe('circuitBreaker', () => {
  describeCases<string, string>(
    (scheduler) => circuitBreaker(options, scheduler).protect,
    {},
    {
      never: { source: '-', expected: '-', subscription: '^' },
      empty: { source: '--|', expected: '--|', subscription: '^-!' },
      single: { source: '-a|', expected: '-a|', subscription: '^-!' },
      many: { source: '-abc|', expected: '-abc|', subscription: '^---!' },
      error: { source: '-a#', expected: '-a#', subscription: '^-!' },
      'early unsubscribe': { source: '-a-b', expected: '-a-', subscription: '^-!', unsubscribe: '--!' },
    },
  );

  it('opens after so many failures in a row, and says until when', () => {
    marbles(({ scheduler }) => {
      const breaker = circuitBreaker(options, scheduler);
      expect(breaker.state()).toEqual({ kind: 'closed', failures: 0 });
      expect(call(breaker, fails$)).toBe('down');
      expect(breaker.state()).toEqual({ kind: 'closed', failures: 1 });
      expect(call(breaker, fails$)).toBe('down');
      expect(breaker.state()).toEqual({ kind: 'open', openedAt: 0, until: 10, earlyProbes: 0 });
    });
  });

  it('starts counting again after a success', () => {
    marbles(({ scheduler }) => {
      const breaker = circuitBreaker(options, scheduler);
      for (const source$ of [fails$, EMPTY, fails$]) call(breaker, source$);
      expect(breaker.state()).toEqual({ kind: 'closed', failures: 1 });
    });
  });

  it('refuses without subscribing while open', () => {
    marbles(({ cold, expectObservable, expectSubscriptions, scheduler }) => {
      const breaker = opened(circuitBreaker(options, scheduler));
      const source$ = cold('-a|');
      expectObservable(breaker.protect(source$)).toBe('#', {}, new BreakerOpenError(10));
      expectSubscriptions(source$.subscriptions).toBe([]);
    });
  });

  it('lets only so many probes through when its time has come, and closes when all succeed', () => {
    marbles(({ cold, scheduler, expectObservable, expectSubscriptions }) => {
      const breaker = opened(circuitBreaker(options, scheduler));
      const probe$ = cold('--|');
      const call$ = breaker.protect(probe$);
      expectObservable(call$, '----------^').toBe('------------|');
      expectObservable(call$, '----------^').toBe('------------|');
      expectObservable(call$, '----------^').toBe('----------#', {}, new BreakerOpenError(10));
      expectObservable(call$, '-------------^').toBe('---------------|');
      expectSubscriptions(probe$.subscriptions).toBe(['----------^-!', '----------^-!', '-------------^-!']);
      const kinds$ = breaker.state$.pipe(
        map((state) => state.kind.charAt(0)),
        distinctUntilChanged(),
      );
      expectObservable(kinds$).toBe('o---------h-c');
    });
  });

  it('opens again, for the whole time, at the first probe that fails', () => {
    marbles(({ scheduler, flush }) => {
      const breaker = opened(circuitBreaker(options, scheduler));
      scheduler.schedule(() => {
        expect(call(breaker, EMPTY)).toBe('completed');
        expect(call(breaker, fails$)).toBe('down');
        expect(breaker.state()).toEqual({ kind: 'open', openedAt: 15, until: 25, earlyProbes: 0 });
      }, 15);
      flush();
    });
    expect.assertions(3);
  });

  it('gives the place of a probe that is left without an outcome to another', () => {
    marbles(({ scheduler, flush }) => {
      const breaker = opened(circuitBreaker({ ...options, halfOpenProbes: 1 }, scheduler));
      scheduler.schedule(() => {
        const probe = breaker.protect(NEVER).subscribe();
        expect(call(breaker, EMPTY)).toBeInstanceOf(BreakerOpenError);
        probe.unsubscribe();
        expect(breaker.state()).toEqual({ kind: 'half-open', probes: 0, successes: 0, earlyProbes: 0 });
        expect(call(breaker, EMPTY)).toBe('completed');
        expect(breaker.state()).toEqual({ kind: 'closed', failures: 0 });
      }, 10);
      flush();
    });
    expect.assertions(4);
  });

  it('counts a consumer that leaves after a value as served', () => {
    marbles(({ scheduler }) => {
      const breaker = circuitBreaker(options, scheduler);
      call(breaker, fails$);
      breaker
        .protect(concat(of('answer'), NEVER))
        .pipe(take(1))
        .subscribe();
      expect(breaker.state()).toEqual({ kind: 'closed', failures: 0 });
    });
  });

  it('counts errors that are not failures of the other side as answers', () => {
    marbles(({ scheduler }) => {
      const breaker = circuitBreaker({ ...options, isFailure: (error) => error === 'down' }, scheduler);
      call(breaker, fails$);
      call(
        breaker,
        throwError(() => 'not found'),
      );
      expect(breaker.state()).toEqual({ kind: 'closed', failures: 0 });
    });
  });

  it('ignores the late outcome of a call from an earlier state', () => {
    marbles(({ cold, scheduler, flush }) => {
      const breaker = circuitBreaker(options, scheduler);
      // All are let through while closed; they end while it is open, and while it is half-open.
      breaker.protect(cold('-----|')).subscribe();
      breaker.protect(cold('------------#')).subscribe({ error: () => {} });
      breaker.protect(cold('------------|')).subscribe();
      opened(breaker);
      breaker.state$.subscribe();
      scheduler.schedule(() => expect(breaker.state().kind).toBe('open'), 6);
      scheduler.schedule(
        () => expect(breaker.state()).toEqual({ kind: 'half-open', probes: 0, successes: 0, earlyProbes: 0 }),
        13,
      );
      flush();
    });
    expect.assertions(2);
  });

  it('has moved on by the time that its caller hears of the outcome', () => {
    marbles(({ scheduler }) => {
      const breaker = circuitBreaker({ ...options, failuresToOpen: 1 }, scheduler);
      let kind: BreakerState['kind'] | undefined;
      breaker.protect(fails$).subscribe({
        error: () => {
          kind = breaker.state().kind;
        },
      });
      expect(kind).toBe('open');
    });
  });

  it('never leaves an observer with an older state, though another calls through it from within', () => {
    marbles(({ scheduler, flush }) => {
      const breaker = circuitBreaker({ failuresToOpen: 1, openMs: 10, halfOpenProbes: 1 }, scheduler);
      const seen: string[] = [];
      breaker.state$.subscribe(({ kind }) => {
        if (kind === 'half-open') call(breaker, EMPTY);
      });
      breaker.state$.subscribe(({ kind }) => seen.push(kind));
      call(breaker, fails$);
      flush();
      expect(seen).toEqual(['closed', 'open', 'half-open', 'closed']);
      expect(breaker.state().kind).toBe('closed');
    });
  });

  it('needs no timer while nobody observes it', () => {
    marbles(({ scheduler, flush }) => {
      const breaker = opened(circuitBreaker({ ...options, openMs: 1000 }, scheduler));
      const subscription = breaker.state$.subscribe();
      subscription.unsubscribe();
      flush();
      expect(scheduler.now()).toBe(0);
      expect(breaker.state().kind).toBe('open');
    });
  });

  it('tells an observer when it becomes half-open by itself', () => {
    marbles(({ expectObservable, scheduler }) => {
      const breaker = opened(circuitBreaker(options, scheduler));
      const kinds$ = breaker.state$.pipe(map(({ kind }) => kind.charAt(0)));
      expectObservable(kinds$).toBe('o---------h');
      expectObservable(kinds$, '---^').toBe('---o------h');
    });
  });

  describe('a sign of life', () => {
    const kindsOf = (breaker: CircuitBreaker) => breaker.state$.pipe(map(({ kind }) => kind.charAt(0)));

    it('makes an open one try at once, with no more probes than by its time', () => {
      marbles(({ cold, scheduler, expectObservable, expectSubscriptions }) => {
        const breaker = opened(circuitBreaker(options, scheduler));
        const probe$ = cold('--|');
        scheduler.schedule(breaker.recoveryHint, 3);
        for (let count = 0; count < 3; count += 1)
          expectObservable(breaker.protect(probe$).pipe(catchError(() => EMPTY)), '----^');
        expectSubscriptions(probe$.subscriptions).toBe(['----^-!', '----^-!']);
        expectObservable(kindsOf(breaker).pipe(distinctUntilChanged())).toBe('o--h--c');
      });
    });

    it('counts the less the more often it was wrong, and never makes it later', () => {
      marbles(({ scheduler, flush }) => {
        const breaker = opened(circuitBreaker({ ...options, openMs: 9, hintBackoffMs: 2 }, scheduler));
        const probes: number[] = [];
        const probe$ = defer(() => {
          probes.push(scheduler.now());
          return fails$;
        });
        for (let at = 1; at <= 40; at += 1) {
          scheduler.schedule(() => {
            breaker.recoveryHint();
            call(breaker, probe$);
          }, at);
        }
        flush();
        expect(probes).toEqual([1, 3, 7, 15, 24, 33]);
      });
      expect.assertions(1);
    });

    it('changes nothing in one that is closed or tries already', () => {
      marbles(({ scheduler, flush }) => {
        const breaker = circuitBreaker(options, scheduler);
        call(breaker, fails$);
        breaker.recoveryHint();
        expect(breaker.state()).toEqual({ kind: 'closed', failures: 1 });
        call(breaker, fails$);
        scheduler.schedule(() => {
          breaker.protect(NEVER).subscribe();
          const before = breaker.state();
          breaker.recoveryHint();
          expect(breaker.state()).toBe(before);
        }, 10);
        flush();
      });
      expect.assertions(2);
    });

    it('has its full weight again after a recovery', () => {
      marbles(({ scheduler, flush }) => {
        const breaker = opened(circuitBreaker({ ...options, hintBackoffMs: 5 }, scheduler));
        scheduler.schedule(() => {
          opened(breaker).recoveryHint();
          call(breaker, fails$);
          breaker.recoveryHint();
          expect(breaker.state()).toEqual({ kind: 'open', openedAt: 10, until: 15, earlyProbes: 2 });
        }, 10);
        scheduler.schedule(() => {
          call(breaker, EMPTY);
          call(breaker, EMPTY);
          opened(breaker).recoveryHint();
          expect(breaker.state().kind).toBe('half-open');
        }, 15);
        flush();
      });
      expect.assertions(2);
    });
  });

  it('refuses settings under which it could never open or close', () => {
    marbles(({ scheduler }) => {
      expect(() => circuitBreaker({ ...options, failuresToOpen: 0 }, scheduler)).toThrow(/failuresToOpen/);
      expect(() => circuitBreaker({ ...options, openMs: 0 }, scheduler)).toThrow(/openMs/);
      expect(() => circuitBreaker({ ...options, halfOpenProbes: 0 }, scheduler)).toThrow(/halfOpenProbes/);
    });
  });
});
