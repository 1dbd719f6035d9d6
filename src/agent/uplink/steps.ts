/** Small steps that several parts of the uplink's logic share. */
import type { Step } from '../../actors/actor.ts';
import { LinkError } from './link.ts';
import type { Memory, UplinkEffect, UplinkMessage, UplinkState } from './state.ts';

export type Next = Step<UplinkState, UplinkEffect>;
export type Of<T extends UplinkMessage['type']> = Extract<UplinkMessage, { readonly type: T }>;

/** HQ does what it must not: the connection ends, nothing is believed. */
export function violation(state: UplinkState, problem: string): Next {
  const error = new LinkError('protocol', `HQ breaks the protocol: ${problem}.`);
  return [state, [{ type: 'fail', connection: state.memory.connection, error }]];
}

/** Tells the journal what has arrived, one release at a time. */
export function release(memory: Memory, due: boolean): readonly [Memory, UplinkEffect[]] {
  if (!due) return [memory, []];
  if (memory.releasing !== 'no') return [{ ...memory, releasing: 'again' }, []];
  return [{ ...memory, releasing: 'yes' }, [{ type: 'release', acked: memory.acked }]];
}

export function stopped(memory: Memory): Next {
  return [{ phase: 'stopped', memory }, [{ type: 'disconnect' }]];
}

export function withMemory(state: UplinkState, memory: Memory): UplinkState {
  return { ...state, memory };
}
