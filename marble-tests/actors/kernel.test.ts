import { EMPTY, map, of, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { marbles } from '../marbles.ts';
import { basics, echo, logActor, type Start, startOn } from './actors.ts';

/** Runs `check` on virtual time. */
function withActors(
  check: (start: Start, helpers: Parameters<Parameters<typeof marbles>[0]>[0]) => void,
): void {
  marbles((helpers) => check(startOn(helpers.scheduler), helpers));
}

describe('an actor', () => {
  it('shows its first state at once and every change after it', () => {
    withActors((start, { cold, expectObservable }) => {
      const ref = start(logActor());
      cold('-a-b').subscribe((message) => ref.send(message));
      expectObservable(ref.state$).toBe('xy-z', { x: [], y: ['a'], z: ['a', 'b'] });
    });
  });

  it('answers getValue without any subscriber, also after it has stopped', () => {
    withActors((start, { flush }) => {
      const ref = start(logActor());
      expect(ref.state$.getValue()).toEqual([]);
      ref.send('a');
      expect(ref.state$.getValue()).toEqual(['a']);
      ref.stop(5).subscribe();
      flush();
      expect(ref.state$.getValue()).toEqual(['a']);
    });
  });

  it('does not repeat a state that a message left as it was', () => {
    withActors((start, { cold, expectObservable }) => {
      const ref = start({
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
    withActors((start) => {
      const trace: string[] = [];
      const ref = start({
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
    withActors((start) => {
      let seen: unknown;
      const ref = start(
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
    withActors((start, { expectObservable, scheduler }) => {
      const options = logActor((effect) => timer(3, scheduler).pipe(map(() => `${effect} done`)));
      const ref = start({
        ...options,
        logic: { ...options.logic, initial: () => [['first'], ['start']] },
      });
      expectObservable(ref.state$).toBe('x--y', { x: ['first'], y: ['first', 'start done'] });
    });
  });

  it('handles two hundred thousand messages that effects send at once without growing the stack', () => {
    withActors((start) => {
      const ref = start({
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
  it('drops the newest', () => {
    withActors((start) => {
      const ref = start(logActor(echo));
      expect(ref.send('do a,b,c,d,e')).toBe('accepted');
      expect(ref.state$.getValue()).toEqual(['do a,b,c,d,e', 'a', 'b', 'c']);
    });
  });

  it('tells the sender, and takes messages again once there is room', () => {
    withActors((start, { flush }) => {
      const ref = start(logActor(undefined, { mailboxCapacity: 1 }));
      ref.send('boom');
      expect([ref.send('waits'), ref.send('too many')]).toEqual(['accepted', 'dropped']);
      flush();
      expect(ref.send('again')).toBe('accepted');
      expect(ref.state$.getValue()).toEqual(['waits', 'again']);
    });
  });

  it('has a capacity of at least one', () => {
    withActors((start) => {
      expect(() => start(logActor(undefined, { mailboxCapacity: 0 }))).toThrow(RangeError);
    });
  });
});

describe('an actor without a first state', () => {
  it('is not started', () => {
    withActors((start) => {
      const options = logActor();
      const initial = () => {
        throw new Error('no first state');
      };
      expect(() => start({ ...options, logic: { ...options.logic, initial } })).toThrow('no first state');
    });
  });
});
