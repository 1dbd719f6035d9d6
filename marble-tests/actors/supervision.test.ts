import { map, Observable, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { ActorStatus } from '../../src/actors/actor.ts';
import { createSupervisor } from '../../src/actors/supervision.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { marbles } from '../marbles.ts';
import { type Log, logActor, startOn, supervision } from './actors.ts';

const boom = new Error('boom');
const running: ActorStatus = { kind: 'running' };
const restarting = (attempt: number, delayMs: number, error: unknown = boom): ActorStatus => ({
  kind: 'restarting',
  error,
  attempt,
  delayMs,
});

describe('a crash', () => {
  it('loses the state and the message, keeps the mailbox, and is over after a delay', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const ref = startOn(scheduler)(logActor());
      const messages = { a: 'a', x: 'boom', b: 'b' };
      cold('-a-xb', messages).subscribe((message) => ref.send(message));
      expectObservable(ref.state$).toBe('ia---(ib)', { i: [], a: ['a'], b: ['b'] });
      expectObservable(ref.status$).toBe('r--x-r', { r: running, x: restarting(1, 2) });
    });
  });

  it('is over before a message finds the actor running again', () => {
    marbles(({ scheduler, flush }) => {
      const ref = startOn(scheduler)(logActor());
      ref.send('old');
      ref.send('boom');
      ref.status$.subscribe(({ kind }) => {
        if (kind === 'running') ref.send('welcome');
      });
      flush();
      expect(ref.state$.getValue()).toEqual(['welcome']);
    });
  });

  it.each<[string, (effect: string) => Observable<string>]>([
    ['an effect errors', () => throwError(() => boom)],
    [
      'an effect cannot even be made',
      () => {
        throw boom;
      },
    ],
  ])('is also that %s', (_name, effects) => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const ref = startOn(scheduler)(logActor(effects));
      cold('-a', { a: 'do it' }).subscribe((message) => ref.send(message));
      expectObservable(ref.status$).toBe('rx-r', { r: running, x: restarting(1, 2) });
    });
  });

  it('is also that the state cannot be made again', () => {
    marbles(({ expectObservable, scheduler }) => {
      let starts = 0;
      const options = logActor();
      const initial = (): readonly [Log, []] => {
        starts += 1;
        if (starts === 2) throw boom;
        return [[], []];
      };
      const ref = startOn(scheduler)({ ...options, logic: { ...options.logic, initial } });
      ref.send('boom');
      expectObservable(ref.status$).toBe('x-(ry)r', {
        r: running,
        x: restarting(1, 2),
        y: restarting(2, 4),
      });
    });
  });

  it('ends the effects of that life', () => {
    marbles(({ cold, expectSubscriptions, scheduler }) => {
      const effect$ = cold('-----z');
      const ref = startOn(scheduler)(logActor(() => effect$.pipe(map(() => 'late'))));
      cold('a--x', { a: 'do it', x: 'boom' }).subscribe((message) => ref.send(message));
      expectSubscriptions(effect$.subscriptions).toBe('^--!');
      scheduler.schedule(() => expect(ref.state$.getValue()).toEqual([]), 20);
    });
    expect.assertions(2);
  });

  it('in the middle of a step carries out none of the effects left, and keeps what was sent before', () => {
    marbles(({ scheduler, flush }) => {
      const carriedOut: string[] = [];
      const options = logActor((effect) => {
        carriedOut.push(effect);
        return new Observable((subscriber) => {
          subscriber.next('kept');
          subscriber.error(boom);
        });
      });
      const ref = startOn(scheduler)({
        ...options,
        logic: {
          ...options.logic,
          transition: (state, message) => [[...state, message], message === 'go' ? ['one', 'two'] : []],
        },
      });
      ref.send('go');
      flush();
      expect(carriedOut).toEqual(['one']);
      expect(ref.state$.getValue()).toEqual(['kept']);
    });
  });

  it('happens again: delays grow, until the intensity limit makes it final', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const ref = startOn(scheduler)(logActor());
      cold('x---x------x---a', { x: 'boom', a: 'a' }).subscribe((message) => ref.send(message));
      const statuses = {
        r: running,
        x: restarting(1, 2),
        y: restarting(2, 4),
        f: { kind: 'failed', error: boom },
      };
      expectObservable(ref.status$).toBe('x-r-y---r--(f|)', statuses);
      expectObservable(ref.state$).toBe('i-i-----i--#', { i: [] }, boom);
    });
  });

  it('does not count against an actor that ran well for a whole window', () => {
    const supervisor = createSupervisor(supervision, { next: () => 1 });
    const delays = [0, 10, 105, 111, 112].map((now) => supervisor.crashed(now));
    expect(delays).toEqual([
      { kind: 'restart', attempt: 1, delayMs: 4 },
      { kind: 'restart', attempt: 2, delayMs: 8 },
      { kind: 'restart', attempt: 2, delayMs: 8 },
      { kind: 'restart', attempt: 2, delayMs: 8 },
      { kind: 'escalate' },
    ]);
  });

  it('is restarted after a delay with full jitter and a maximum', () => {
    const options = { maxRestarts: 1000, windowMs: 1e9, initialDelayMs: 10, maxDelayMs: 500 };
    const supervisor = createSupervisor(options, seededRandom(9));
    const delays = Array.from({ length: 1000 }, (_, now) => supervisor.crashed(now)).map((verdict) =>
      verdict.kind === 'restart' ? verdict.delayMs : Number.NaN,
    );
    expect(Math.max(...delays)).toBeLessThanOrEqual(500);
    expect(delays.filter((delay) => delay < 250).length).toBeGreaterThan(400);
    expect(delays.filter((delay) => delay > 250).length).toBeGreaterThan(400);
  });

  it('that is final makes the actor refuse messages', () => {
    marbles(({ scheduler }) => {
      const options = logActor(undefined, { supervision: { ...supervision, maxRestarts: 0 } });
      const ref = startOn(scheduler)(options);
      ref.send('boom');
      expect(ref.send('a')).toBe('stopped');
    });
  });
});

describe('an ordered stop', () => {
  const stopping = { message: 'flush', isDone: (state: Log) => state.includes('flushed') };

  it('takes nothing more, sends the last message and waits until the actor is done', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const options = logActor((effect) => timer(4, scheduler).pipe(map(() => effect)));
      const ref = startOn(scheduler)({
        ...options,
        logic: {
          ...options.logic,
          transition: (state, message) => [[...state, message], message === 'flush' ? ['flushed'] : []],
        },
        stopping,
      });
      const stop$ = ref.stop(50);
      cold('-a---b').subscribe((message) => {
        expect(ref.send(message)).toBe(message === 'a' ? 'accepted' : 'stopped');
      });
      expectObservable(stop$, '---^').toBe('-------|');
      expectObservable(ref.status$).toBe('r------(s|)', { r: running, s: { kind: 'stopped' } });
      expectObservable(ref.state$).toBe('ia-f---d', {
        i: [],
        a: ['a'],
        f: ['a', 'flush'],
        d: ['a', 'flush', 'flushed'],
      });
    });
    expect.assertions(5);
  });

  it('cuts the actor off at the deadline, and its effects with it', () => {
    marbles(({ cold, expectObservable, expectSubscriptions, scheduler }) => {
      const effect$ = cold('------');
      const options = logActor(() => effect$.pipe(map(() => 'never')));
      const ref = startOn(scheduler)({ ...options, stopping: { ...stopping, message: 'do flush' } });
      expectObservable(ref.stop(7), '--^').toBe('---------|');
      expectSubscriptions(effect$.subscriptions).toBe('--^------!');
    });
  });

  it('comes after the messages that wait', () => {
    marbles(({ scheduler }) => {
      const ref = startOn(scheduler)({
        ...logActor(),
        stopping: { message: 'flushed', isDone: stopping.isDone },
      });
      ref.state$.subscribe((state) => {
        if (state.length !== 1) return;
        ref.send('waits');
        ref.stop(10).subscribe();
        expect(ref.send('too late')).toBe('stopped');
      });
      ref.send('first');
      expect(ref.state$.getValue()).toEqual(['first', 'waits', 'flushed']);
    });
    expect.assertions(2);
  });

  it('is immediate for an actor without a last message, and the same for all who ask', () => {
    marbles(({ expectObservable, scheduler }) => {
      const ref = startOn(scheduler)(logActor());
      expectObservable(ref.stop(9)).toBe('|');
      expectObservable(ref.stop(9), '---^').toBe('---|');
      expectObservable(ref.status$, '---^').toBe('---(s|)', { s: { kind: 'stopped' } });
    });
  });

  it('does not start an actor again that is down', () => {
    let starts = 0;
    marbles(({ expectObservable, scheduler }) => {
      const options = logActor(undefined, { stopping });
      const initial = (): readonly [Log, []] => {
        starts += 1;
        return [[], []];
      };
      const ref = startOn(scheduler)({ ...options, logic: { ...options.logic, initial } });
      ref.send('boom');
      expectObservable(ref.stop(9), '-^').toBe('-|');
      expectObservable(ref.status$).toBe('x(s|)', { x: restarting(1, 2), s: { kind: 'stopped' } });
    });
    expect(starts).toBe(1);
  });

  it('that crashes ends the actor as failed', () => {
    marbles(({ expectObservable, scheduler }) => {
      const ref = startOn(scheduler)({ ...logActor(), stopping: { ...stopping, message: 'boom' } });
      expectObservable(ref.stop(9), '--^').toBe('--|');
      expectObservable(ref.status$).toBe('r-(f|)', { r: running, f: { kind: 'failed', error: boom } });
    });
  });
});
