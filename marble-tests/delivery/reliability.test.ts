import { defer, map, NEVER, type Observable, of, type SchedulerLike } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createReliability, type Reliability } from '../../src/delivery/reliability.ts';
import type { Judgement } from '../../src/delivery/verdict.ts';
import { describeCases, marbles } from '../marbles.ts';

const poison = { kind: 'poison', records: 'unknown', reason: 'bad' } as const;
const JUDGED: Readonly<Record<string, Judgement>> = {
  down: { verdict: { kind: 'retry', reason: 'unavailable' }, health: 'down' },
  closing: { verdict: { kind: 'retry', reason: 'unavailable', afterMs: 10 }, health: 'down' },
  busy: { verdict: { kind: 'retry', reason: 'rate_limited', afterMs: 10 }, health: 'up' },
  poison: { verdict: poison, health: 'up' },
  misconfigured: { verdict: { kind: 'misconfigured', reason: 'no rights' }, health: 'up' },
  gone: { verdict: null, health: 'unknown' },
  error: { verdict: null, health: 'silent' },
};

type Lane = 'live' | 'backlog';

/** Pauses of 2, 4, 4 … ms. */
function create(
  scheduler: SchedulerLike,
  breaker: { readonly failuresToOpen?: number; readonly openMs?: number } = {},
): Reliability<Lane> {
  return createReliability<Lane>({
    judge: (error) => JUDGED[String(error)] ?? { verdict: null, health: 'up' },
    deadline: { ackTimeoutMs: 6, silence: () => 'error' },
    breaker: { failuresToOpen: 5, openMs: 30, halfOpenProbes: 2, ...breaker },
    pause: { initialMs: 4, maxMs: 8 },
    scheduler,
    random: { next: () => 0.5 },
  });
}

/** One after the other, a try each. */
const inTurn = (tries: Observable<string>[]) => defer(() => tries.shift() ?? of('none left'));
const names = ({ paused$ }: Reliability<Lane>) => paused$.pipe(map((pause) => (pause === null ? 'n' : 'p')));

describe('a protected write', () => {
  describeCases<string, string>(
    (scheduler) => (source) => create(scheduler).protect('live', source),
    {},
    {
      never: { source: '-', expected: '------#', subscription: '^-----!' },
      empty: { source: '--|', expected: '--|', subscription: '^-!' },
      single: { source: '-a|', expected: '-a|', subscription: '^-!' },
      many: { source: '-abc|', expected: '-abc|', subscription: '^---!' },
      error: { source: '-a#', expected: '-a#', subscription: '^-!' },
      'early unsubscribe': { source: '-a-', expected: '-a-', subscription: '^-!', unsubscribe: '--!' },
    },
  );

  it('is tried again, after longer and longer pauses, and says that it waits', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const reliability = create(scheduler);
      const write$ = inTurn([cold('-#', {}, 'down'), cold('-#', {}, 'down'), cold('-a|')]);
      expectObservable(reliability.protect('live', write$)).toBe('---------a|');
      expectObservable(names(reliability)).toBe('np-------n');
    });
  });

  it.each(['down', 'busy'])('begins with a short pause again once a write has passed: %s', (error) => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const reliability = create(scheduler);
      const failing = () => inTurn([cold('-#', {}, error), cold('a|')]);
      const waitMs = error === 'busy' ? 12 : 2;
      expectObservable(reliability.protect('live', failing())).toBe(`${1 + waitMs}ms a|`);
      expectObservable(reliability.protect('live', failing()), '20ms ^').toBe(`${21 + waitMs}ms a|`);
    });
  });

  it('leaves the receiver alone for as long as it asks, and the pause on top', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const write$ = inTurn([cold('-#', {}, 'closing'), cold('a|')]);
      expectObservable(create(scheduler).protect('live', write$)).toBe('13ms a|');
    });
  });

  it.each(['poison', 'misconfigured', 'gone', 'error'])('ends with its own error at once: %s', (error) => {
    marbles(({ cold, expectObservable, expectSubscriptions, scheduler }) => {
      const write$ = cold('--#', {}, error);
      expectObservable(create(scheduler).protect('live', write$)).toBe('--#', {}, error);
      expectSubscriptions(write$.subscriptions).toBe(['^-!']);
    });
  });

  it('may take as long as the way needs, and begins its deadline again with each progress', () => {
    marbles(({ cold, hot, expectObservable, scheduler }) => {
      const progress$ = hot('---p---p');
      const patience = { allowanceMs: () => 2, progress$: () => progress$ };
      const reliability = create(scheduler);
      expectObservable(reliability.protect('live', cold('13ms a|'), patience)).toBe('13ms a|');
      expectObservable(reliability.protect('live', NEVER, patience)).toBe('15ms #');
    });
  });
});

describe('writes together', () => {
  it('that a receiver refuses together are one failure, and go again together', () => {
    marbles(({ cold, expectObservable, expectSubscriptions, scheduler, flush }) => {
      const reliability = create(scheduler, { failuresToOpen: 2 });
      for (const _ of [1, 2, 3]) {
        const again$ = cold('-a|');
        const write$ = inTurn([cold('-#', {}, 'down'), again$]);
        expectObservable(reliability.protect('live', write$)).toBe('----a|');
        expectSubscriptions(again$.subscriptions).toBe(['---^-!']);
      }
      scheduler.schedule(() => {
        expect(reliability.breaker.state()).toEqual({ kind: 'closed', failures: 1 });
      }, 2);
      flush();
      expect(reliability.breaker.state()).toEqual({ kind: 'closed', failures: 0 });
    });
  });

  it('wait for one another in a lane, and keep no other lane waiting', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const reliability = create(scheduler);
      const refused$ = reliability.protect('backlog', inTurn([cold('#', {}, 'busy'), cold('a|')]));
      expectObservable(refused$).toBe('12ms a|');
      expectObservable(reliability.protect('backlog', cold('b|')), '--^').toBe('12ms b|');
      expectObservable(reliability.protect('live', cold('c|')), '--^').toBe('--c|');
      expectObservable(names(reliability)).toBe('(np) 8ms n');
    });
  });

  it('all wait where the receiver can serve nobody', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const reliability = create(scheduler);
      const refused$ = reliability.protect('backlog', inTurn([cold('#', {}, 'closing'), cold('a|')]));
      expectObservable(refused$).toBe('12ms a|');
      expectObservable(reliability.protect('live', cold('c|')), '--^').toBe('12ms c|');
    });
  });
});

describe('the breaker around writes', () => {
  it('holds back what would fail, without counting that as a failure, until its time has come', () => {
    marbles(({ cold, expectObservable, expectSubscriptions, scheduler }) => {
      const reliability = create(scheduler, { failuresToOpen: 1 });
      const write$ = cold('-a|');
      expectObservable(reliability.protect('live', NEVER)).toBe('6ms #');
      expectObservable(reliability.protect('live', write$), '8ms ^').toBe('37ms a|');
      expectSubscriptions(write$.subscriptions).toBe(['36ms ^-!']);
      expectObservable(names(reliability)).toBe('n 7ms p 28ms n');
    });
  });

  it('lets what waits go in the order in which it came', () => {
    marbles(({ cold, scheduler, flush }) => {
      const reliability = create(scheduler, { failuresToOpen: 1 });
      const sent: string[] = [];
      reliability.protect('live', NEVER).subscribe({ error: () => {} });
      for (const lane of ['live', 'backlog'] as const)
        scheduler.schedule(() => {
          const write$ = defer(() => {
            sent.push(lane);
            return cold('-a|');
          });
          reliability.protect(lane, write$).subscribe();
        }, 8);
      flush();
      expect(sent).toEqual(['live', 'backlog']);
    });
  });

  it.each(['poison', 'busy'])('takes a receiver that answers for one that is there: %s', (error) => {
    marbles(({ cold, scheduler, flush }) => {
      const reliability = create(scheduler, { failuresToOpen: 2 });
      reliability.protect('live', NEVER).subscribe({ error: () => {} });
      const refused$ = reliability.protect('live', inTurn([cold('-#', {}, error)]));
      scheduler.schedule(() => {
        expect(reliability.breaker.state()).toEqual({ kind: 'closed', failures: 1 });
        refused$.subscribe({ error: () => {} });
      }, 7);
      scheduler.schedule(() => {
        expect(reliability.breaker.state()).toEqual({ kind: 'closed', failures: 0 });
      }, 9);
      flush();
    });
    expect.assertions(2);
  });

  it('learns nothing from a way that ended, neither good nor bad', () => {
    marbles(({ cold, scheduler, flush }) => {
      const reliability = create(scheduler, { failuresToOpen: 2 });
      reliability.protect('live', NEVER).subscribe({ error: () => {} });
      const gone$ = reliability.protect('live', cold('-#', {}, 'gone'));
      scheduler.schedule(() => gone$.subscribe({ error: () => {} }), 7);
      flush();
      expect(reliability.breaker.state()).toEqual({ kind: 'closed', failures: 1 });
    });
  });

  it.each([
    ['itself refused the last write', 'down', '10ms a|'],
    ['left the last write without an answer', 'error', '31ms a|'],
  ])('believes a receiver that says it is ready if it %s', (_, error, expected) => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const reliability = create(scheduler, { failuresToOpen: 1 });
      reliability.protect('live', inTurn([cold('-#', {}, error)])).subscribe({ error: () => {} });
      expectObservable(reliability.protect('backlog', cold('a|')), '5ms ^').toBe(expected);
      scheduler.schedule(() => reliability.receiverReady(true), 10);
    });
  });

  it('believes one that says it is not ready, and then that it is', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const reliability = create(scheduler, { failuresToOpen: 1 });
      reliability.protect('live', cold('-#', {}, 'error')).subscribe({ error: () => {} });
      expectObservable(reliability.protect('backlog', cold('a|')), '5ms ^').toBe('10ms a|');
      scheduler.schedule(() => reliability.receiverReady(false), 8);
      scheduler.schedule(() => reliability.receiverReady(true), 10);
    });
  });
});
