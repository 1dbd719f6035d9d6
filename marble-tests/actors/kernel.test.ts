import { EMPTY, ignoreElements, map, NEVER, type Observable, of, tap, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  type ActorSystem,
  AskRefused,
  AskTimeout,
  createActorSystem,
  SpawnRefused,
} from '../../src/actors/index.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { marbles } from '../marbles.ts';
import { basics, echo, logActor } from './actors.ts';

/** Runs `check` with a system on virtual time. */
function withSystem(
  check: (system: ActorSystem, helpers: Parameters<Parameters<typeof marbles>[0]>[0]) => void,
): void {
  marbles((helpers) =>
    check(createActorSystem({ scheduler: helpers.scheduler, random: seededRandom(1) }), helpers),
  );
}

describe('an actor', () => {
  it('shows its first state at once and every change after it', () => {
    withSystem((system, { cold, expectObservable }) => {
      const ref = system.spawn(logActor());
      cold('-a-b').subscribe((message) => ref.send(message));
      expectObservable(ref.state$).toBe('xy-z', { x: [], y: ['a'], z: ['a', 'b'] });
    });
  });

  it('answers getValue without any subscriber, also after it has stopped', () => {
    withSystem((system, { flush }) => {
      const ref = system.spawn(logActor());
      expect(ref.state$.getValue()).toEqual([]);
      ref.send('a');
      expect(ref.state$.getValue()).toEqual(['a']);
      ref.stop(5).subscribe();
      flush();
      expect(ref.state$.getValue()).toEqual(['a']);
    });
  });

  it('does not repeat a state that a message left as it was', () => {
    withSystem((system, { cold, expectObservable }) => {
      const ref = system.spawn({
        ...basics,
        logic: {
          initial: () => [0, []],
          transition: (state: number, message: string) => [message === 'up' ? state + 1 : state, []],
        },
        effects: () => EMPTY,
      });
      cold('-a-b-c', { a: 'up', b: 'idle', c: 'up' }).subscribe((message) => ref.send(message));
      expectObservable(ref.state$).toBe('ab---c', { a: 0, b: 1, c: 2 });
    });
  });

  it('finishes one message before the next: what effects and observers send waits its turn', () => {
    withSystem((system) => {
      const trace: string[] = [];
      const ref = system.spawn({
        ...basics,
        logic: {
          initial: () => [0, []],
          transition: (state: number, message: string) => {
            trace.push(`${message} begins`);
            return [state + 1, message === 'first' ? ['one', 'two'] : []];
          },
        },
        effects: (effect: string) => {
          trace.push(`effect ${effect}`);
          return of(`from ${effect}`);
        },
      });
      ref.state$.subscribe((state) => {
        if (state === 1) ref.send('from observer');
      });
      ref.send('first');
      expect(trace).toEqual([
        'first begins',
        'effect one',
        'effect two',
        'from observer begins',
        'from one begins',
        'from two begins',
      ]);
    });
  });

  it('publishes a state before it carries out the effects of its step', () => {
    withSystem((system) => {
      let seen: unknown;
      const ref = system.spawn(
        logActor(() => {
          seen = ref.state$.getValue();
          return EMPTY;
        }),
      );
      ref.send('do look');
      expect(seen).toEqual(['do look']);
    });
  });

  it('carries out the effects of its start, and takes the messages of effects whenever they come', () => {
    withSystem((system, { expectObservable, scheduler }) => {
      const options = logActor((effect) => timer(3, scheduler).pipe(map(() => `${effect} done`)));
      const ref = system.spawn({
        ...options,
        logic: { ...options.logic, initial: () => [['first'], ['start']] },
      });
      expectObservable(ref.state$).toBe('x--y', { x: ['first'], y: ['first', 'start done'] });
    });
  });

  it('handles two hundred thousand messages that effects send at once without growing the stack', () => {
    withSystem((system) => {
      const ref = system.spawn({
        ...basics,
        logic: {
          initial: () => [0, []],
          transition: (state: number) => [state + 1, state < 200_000 ? ['again'] : []],
        },
        effects: (effect: string) => of(effect),
      });
      ref.send('go');
      expect(ref.state$.getValue()).toBe(200_001);
    });
  });
});

describe('a full mailbox', () => {
  const five = 'do a,b,c,d,e';

  it('drops the newest', () => {
    withSystem((system) => {
      const ref = system.spawn(logActor(echo));
      expect(ref.send(five)).toBe('accepted');
      expect(ref.state$.getValue()).toEqual([five, 'a', 'b', 'c']);
      expect(ref.mailbox()).toEqual({ waiting: 0, dropped: 2 });
    });
  });

  it('or drops the oldest', () => {
    withSystem((system) => {
      const ref = system.spawn(logActor(echo, { mailbox: { capacity: 3, overflow: 'drop-oldest' } }));
      ref.send(five);
      expect(ref.state$.getValue()).toEqual([five, 'c', 'd', 'e']);
      expect(ref.mailbox()).toEqual({ waiting: 0, dropped: 2 });
    });
  });

  it('or crashes the actor, which keeps what waits', () => {
    withSystem((system, { flush }) => {
      const ref = system.spawn(logActor(echo, { mailbox: { capacity: 3, overflow: 'crash' } }));
      const kinds: string[] = [];
      ref.status$.subscribe((status) => {
        kinds.push(status.kind);
        if (status.kind === 'restarting') expect(status.error).toMatchObject({ name: 'MailboxOverflow' });
      });
      ref.send(five);
      flush();
      expect(kinds).toEqual(['running', 'restarting', 'running']);
      expect(ref.state$.getValue()).toEqual(['a', 'b', 'c']);
    });
  });

  it('tells the sender', () => {
    withSystem((system) => {
      const ref = system.spawn(logActor(undefined, { mailbox: { capacity: 1, overflow: 'drop-newest' } }));
      ref.send('boom');
      expect([ref.send('waits'), ref.send('too many')]).toEqual(['accepted', 'dropped']);
    });
  });

  it('has a capacity of at least one', () => {
    withSystem((system) => {
      const spawn = () => system.spawn(logActor(undefined, { mailbox: { capacity: 0, overflow: 'crash' } }));
      expect(spawn).toThrow(RangeError);
    });
  });
});

describe('ask', () => {
  type Question = {
    readonly kind: 'ask';
    readonly afterMs: number;
    readonly reply: (answer: number) => void;
  };

  function spawnOracle(system: ActorSystem, delay: (ms: number) => Observable<unknown>) {
    return system.spawn<number, Question, Question>({
      ...basics,
      logic: {
        initial: () => [0, []],
        transition: (state, question) => [state + 1, [question]],
      },
      effects: ({ afterMs, reply }) =>
        delay(afterMs).pipe(
          tap(() => reply(42)),
          ignoreElements(),
        ),
    });
  }
  const question =
    (afterMs: number) =>
    (reply: (answer: number) => void): Question => ({ kind: 'ask', afterMs, reply });

  it('emits the answer and completes', () => {
    withSystem((system, { expectObservable, scheduler }) => {
      const oracle = spawnOracle(system, (ms) => timer(ms, scheduler));
      expectObservable(oracle.ask(question(3), 10)).toBe('---(a|)', { a: 42 });
      expectObservable(spawnNow(system).ask(question(0), 10)).toBe('(a|)', { a: 42 });
    });
  });

  function spawnNow(system: ActorSystem) {
    return system.spawn<number, Question, Question>({
      ...basics,
      id: 'now',
      logic: { initial: () => [0, []], transition: (state, asked) => [state, [asked]] },
      effects: ({ reply }) => {
        reply(42);
        return EMPTY;
      },
    });
  }

  it('errors at its deadline, and ignores an answer that comes later', () => {
    withSystem((system, { expectObservable, scheduler }) => {
      const oracle = spawnOracle(system, (ms) => timer(ms, scheduler));
      const failed$ = oracle.ask(question(8), 5);
      expectObservable(failed$).toBe('-----#', {}, new AskTimeout('log', 5));
    });
  });

  it('asks anew at each subscription', () => {
    withSystem((system, { flush }) => {
      const oracle = spawnOracle(system, () => NEVER);
      const ask$ = oracle.ask(question(0), 5);
      ask$.subscribe({ error: () => {} });
      ask$.subscribe({ error: () => {} });
      flush();
      expect(oracle.state$.getValue()).toBe(2);
    });
  });

  it('errors at once when the actor has stopped, or stops before it answers', () => {
    withSystem((system, { expectObservable, cold, scheduler }) => {
      const oracle = spawnOracle(system, (ms) => timer(ms, scheduler));
      cold('--s').subscribe(() => oracle.stop(0).subscribe());
      const refused = new AskRefused('log', 'stopped');
      expectObservable(oracle.ask(question(50), 100)).toBe('--#', {}, refused);
      expectObservable(oracle.ask(question(50), 100), '----^').toBe('----#', {}, refused);
    });
  });

  it('errors at once when the mailbox is full', () => {
    withSystem((system, { expectObservable }) => {
      const ref = system.spawn(logActor(undefined, { mailbox: { capacity: 1, overflow: 'drop-newest' } }));
      ref.send('boom');
      ref.send('waits');
      const full = new AskRefused('log', 'dropped');
      expectObservable(
        ref.ask(() => 'question', 50),
        '^!',
      ).toBe('#', {}, full);
    });
  });
});

describe('a system', () => {
  it('refuses a second actor of one id, until the first has ended', () => {
    withSystem((system, { flush }) => {
      const first = system.spawn(logActor());
      expect(() => system.spawn(logActor())).toThrow(SpawnRefused);
      first.stop(5).subscribe();
      flush();
      expect(system.spawn(logActor()).id).toBe('log');
    });
  });

  it('spawns nothing when the first state cannot be made, and frees the id', () => {
    withSystem((system) => {
      const options = logActor();
      const initial = () => {
        throw new Error('no first state');
      };
      expect(() => system.spawn({ ...options, logic: { ...options.logic, initial } })).toThrow(
        'no first state',
      );
      expect(system.spawn(options).send('a')).toBe('accepted');
    });
  });

  it('is apart from other systems', () => {
    withSystem((system, { scheduler }) => {
      const other = createActorSystem({ scheduler, random: seededRandom(2) });
      system.spawn(logActor()).send('a');
      expect(other.spawn(logActor()).state$.getValue()).toEqual([]);
    });
  });
});
