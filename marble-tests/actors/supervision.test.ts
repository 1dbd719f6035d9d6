import { map, Observable, type SchedulerLike, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type ActorRef, type ActorStatus, createActorSystem } from '../../src/actors/index.ts';
import { createSupervisor } from '../../src/actors/supervision.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { marbles } from '../marbles.ts';
import { type Log, logActor, supervision } from './actors.ts';

/** Half of the ceiling at each draw: delays are 2, 4, 8 … */
const systemOn = (scheduler: SchedulerLike) => createActorSystem({ scheduler, random: { next: () => 0.5 } });
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
      const ref = systemOn(scheduler).spawn(logActor());
      const messages = { a: 'a', x: 'boom', b: 'b' };
      cold('-a-xb', messages).subscribe((message) => ref.send(message));
      expectObservable(ref.state$).toBe('ia---(ib)', { i: [], a: ['a'], b: ['b'] });
      expectObservable(ref.status$).toBe('r--x-r', { r: running, x: restarting(1, 2) });
    });
  });

  it('is over before a message finds the actor running again', () => {
    marbles(({ scheduler, flush }) => {
      const ref = systemOn(scheduler).spawn(logActor());
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
      const ref = systemOn(scheduler).spawn(logActor(effects));
      cold('-a', { a: 'do it' }).subscribe((message) => ref.send(message));
      expectObservable(ref.status$).toBe('rx-r', { r: running, x: restarting(1, 2) });
    });
  });

  it('is also that the state cannot be made anew', () => {
    marbles(({ expectObservable, scheduler }) => {
      let starts = 0;
      const options = logActor();
      const initial = (): readonly [Log, []] => {
        starts += 1;
        if (starts === 2) throw boom;
        return [[], []];
      };
      const ref = systemOn(scheduler).spawn({ ...options, logic: { ...options.logic, initial } });
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
      const ref = systemOn(scheduler).spawn(logActor(() => effect$.pipe(map(() => 'late'))));
      cold('a--x', { a: 'do it', x: 'boom' }).subscribe((message) => ref.send(message));
      expectSubscriptions(effect$.subscriptions).toBe('^--!');
      scheduler.schedule(() => expect(ref.state$.getValue()).toEqual([]), 20);
    });
    expect.assertions(2);
  });

  it('in the middle of a step carries out none of the effects left, nor what a synchronous one goes on to send', () => {
    marbles(({ scheduler, flush }) => {
      const carriedOut: string[] = [];
      const options = logActor((effect) => {
        carriedOut.push(effect);
        return new Observable((subscriber) => {
          subscriber.next('kept');
          subscriber.next('overflow');
          subscriber.next('after the crash');
        });
      });
      const ref = systemOn(scheduler).spawn({
        ...options,
        mailbox: { capacity: 1, overflow: 'crash' },
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
      const ref = systemOn(scheduler).spawn(logActor());
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

  it('is told to the system, with the failure that it escalates to', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const system = systemOn(scheduler);
      const told$ = system.statuses$.pipe(map(({ id, status }) => `${id} ${status.kind}`));
      expectObservable(told$).toBe('-a-b', { a: 'log running', b: 'log failed' });
      const refs: ActorRef<Log, string>[] = [];
      cold('-s-x').subscribe((what) => {
        if (what === 's')
          refs.push(system.spawn(logActor(undefined, { supervision: { ...supervision, maxRestarts: 0 } })));
        else refs[0]?.send('boom');
      });
    });
  });

  it('that is final makes the actor refuse messages and frees its id', () => {
    marbles(({ scheduler }) => {
      const system = systemOn(scheduler);
      const options = logActor(undefined, { supervision: { ...supervision, maxRestarts: 0 } });
      const ref = system.spawn(options);
      ref.send('boom');
      expect(ref.send('a')).toBe('stopped');
      expect(system.spawn(options).send('a')).toBe('accepted');
    });
  });
});

describe('an ordered stop', () => {
  const stopping = { message: 'flush', isDone: (state: Log) => state.includes('flushed') };

  it('takes nothing more, sends the last message and waits until the actor is done', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const options = logActor((effect) => timer(4, scheduler).pipe(map(() => effect)));
      const ref = systemOn(scheduler).spawn({
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
      const ref = systemOn(scheduler).spawn({ ...options, stopping: { ...stopping, message: 'do flush' } });
      expectObservable(ref.stop(7), '--^').toBe('---------|');
      expectSubscriptions(effect$.subscriptions).toBe('--^------!');
    });
  });

  it('comes after the messages that wait', () => {
    marbles(({ scheduler }) => {
      const ref = systemOn(scheduler).spawn({
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
      const ref = systemOn(scheduler).spawn(logActor());
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
      const ref = systemOn(scheduler).spawn({ ...options, logic: { ...options.logic, initial } });
      ref.send('boom');
      expectObservable(ref.stop(9), '-^').toBe('-|');
      expectObservable(ref.status$).toBe('x(s|)', { x: restarting(1, 2), s: { kind: 'stopped' } });
    });
    expect(starts).toBe(1);
  });

  it('that crashes ends the actor as failed', () => {
    marbles(({ expectObservable, scheduler }) => {
      const ref = systemOn(scheduler).spawn({ ...logActor(), stopping: { ...stopping, message: 'boom' } });
      expectObservable(ref.stop(9), '--^').toBe('--|');
      expectObservable(ref.status$).toBe('r-(f|)', { r: running, f: { kind: 'failed', error: boom } });
    });
  });
});

describe('stopping a system', () => {
  const slow = (scheduler: SchedulerLike, id: string, ms: number) =>
    logActor((effect) => timer(ms, scheduler).pipe(map(() => effect)), {
      id,
      stopping: { message: `do ${id} done`, isDone: (state) => state.includes(`${id} done`) },
    });

  it('stops the last spawned first, one after another', () => {
    marbles(({ expectObservable, scheduler }) => {
      const system = systemOn(scheduler);
      const ended$ = system.statuses$.pipe(map(({ id }) => id));
      for (const id of ['a', 'b', 'c']) system.spawn(slow(scheduler, id, 3));
      expectObservable(ended$).toBe('----c--b--a');
      expectObservable(system.stop(100), '-^').toBe('----------|');
    });
  });

  it('keeps one deadline for all', () => {
    marbles(({ expectObservable, scheduler }) => {
      const system = systemOn(scheduler);
      const ended$ = system.statuses$.pipe(map(({ id }) => id));
      for (const id of ['a', 'b', 'c']) system.spawn(slow(scheduler, id, 4));
      expectObservable(ended$).toBe('----c-(ba)');
      expectObservable(system.stop(6)).toBe('------|');
    });
  });

  it('starts nothing any more', () => {
    marbles(({ expectObservable, scheduler }) => {
      const system = systemOn(scheduler);
      expectObservable(system.stop(6)).toBe('|');
      scheduler.schedule(() => expect(() => system.spawn(logActor())).toThrow(/stopping/), 1);
    });
    expect.assertions(2);
  });
});
