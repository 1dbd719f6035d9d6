import { EMPTY, type Observable, of } from 'rxjs';
import type { ActorOptions, MailboxOptions, Step, SupervisionOptions } from '../../src/actors/index.ts';

/** A log of what it was told; every message but `boom` is appended, `do …` also becomes an effect. */
export type Log = readonly string[];

export const supervision: SupervisionOptions = {
  maxRestarts: 2,
  windowMs: 100,
  initialDelayMs: 4,
  maxDelayMs: 100,
};
export const mailbox: MailboxOptions = { capacity: 3, overflow: 'drop-newest' };

export const basics = { id: 'log', mailbox, supervision };

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
