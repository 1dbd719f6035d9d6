import { EMPTY, type Observable, of, type SchedulerLike } from 'rxjs';
import type { ActorOptions, ActorRef, Step, SupervisionOptions } from '../../src/actors/actor.ts';
import { startActor } from '../../src/actors/start-actor.ts';
import type { Random } from '../../src/platform/random.ts';

/** A log of what it was told; every message but `boom` is appended, `do …` also becomes an effect. */
export type Log = readonly string[];

export const supervision: SupervisionOptions = {
  maxRestarts: 2,
  windowMs: 100,
  initialDelayMs: 4,
  maxDelayMs: 100,
};

export const basics = { mailboxCapacity: 3, supervision };

export type Start = <S, M, E>(options: ActorOptions<S, M, E>) => ActorRef<S, M>;

/** Starts actors on virtual time. By default each draw is half of the ceiling: delays are 2, 4, 8 … */
export const startOn =
  (scheduler: SchedulerLike, random: Random = { next: () => 0.5 }): Start =>
  (options) =>
    startActor(options, { scheduler, random });

export function logActor(
  effects: (effect: string) => Observable<string> = () => EMPTY,
  overrides: Partial<ActorOptions<Log, string, string>> = {},
): ActorOptions<Log, string, string> {
  return {
    ...basics,
    logic: {
      initial: () => [[], []],
      transition: (state, message): Step<Log, string> => {
        if (message === 'boom') throw new Error('boom');
        const effect = message.startsWith('do ') ? [message.slice(3)] : [];
        return [[...state, message], effect];
      },
    },
    effects,
    ...overrides,
  };
}

/** `do a,b,c` sends a, b and c back at once. */
export const echo = (effect: string): Observable<string> => of(...effect.split(','));
