/**
 * Writes down what happens to agents, in the order in which it happens, some at a time behind everything else.
 *
 * Bounds: an agent may have EVENTS_AT_ONCE events, and one more a minute; MAX_WAITING wait to be written in all. What
 * is beyond is left out and counted, and the next event of the agent says so.
 */
import type { Observable } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import type { AgentEvent } from '../../protocol/agent-event.ts';
import type { NewEvent } from '../store/store.ts';

export type EventKeeper = {
  /** Agent null: of HQ itself. `ts`: HQ's wall time, ms; default: now. */
  readonly note: (
    agent: string | null,
    event: Omit<AgentEvent, 'of' | 'ts'> & { readonly ts?: number },
  ) => void;
  /** It is removed for good: there is nothing to write of it. */
  readonly forget: (agent: string) => void;
  /** Writes some of what is not written yet. */
  readonly retry: () => void;
  /** Writes all of it, as far as that can be done at once. */
  readonly flush: () => void;
};

export const EVENTS_AT_ONCE = 100;
const EVENT_EVERY_MS = 60_000;
const MAX_WAITING = 65_536;
const BATCH = 2_000;

export type SaveEvents = (batch: {
  readonly events: readonly NewEvent[];
  /** How many were left out since the last time. */
  readonly leftOut: number;
}) => Observable<unknown>;

/** What an agent may still have: full again when it has been quiet. */
type Allowance = { left: number; at: number; leftOut: number };

export function createEventKeeper(save: SaveEvents, clock: Pick<Clock, 'now' | 'precise'>): EventKeeper {
  const allowances = new Map<string, Allowance>();
  let waiting: NewEvent[] = [];
  let leftOut = 0;
  let isSaving = false;

  const allowanceOf = (agent: string): Allowance => {
    const at = clock.precise();
    const known = allowances.get(agent) ?? { left: EVENTS_AT_ONCE, at, leftOut: 0 };
    known.left = Math.min(EVENTS_AT_ONCE, known.left + (at - known.at) / EVENT_EVERY_MS);
    known.at = at;
    allowances.set(agent, known);
    return known;
  };
  const saveSome = (limit: number) => {
    if (isSaving || (waiting.length === 0 && leftOut === 0)) return;
    const events = waiting.slice(0, limit);
    waiting = waiting.slice(limit);
    const counted = leftOut;
    leftOut = 0;
    isSaving = true;
    save({ events, leftOut: counted }).subscribe({
      error: () => {
        isSaving = false;
        waiting = [...events, ...waiting];
        leftOut += counted;
      },
      complete: () => {
        isSaving = false;
      },
    });
  };
  return {
    note: (agent, { ts = clock.now(), ...event }) => {
      const allowance = allowanceOf(agent ?? '');
      if (allowance.left < 1 || waiting.length >= MAX_WAITING) {
        allowance.leftOut += 1;
        leftOut += 1;
        return;
      }
      allowance.left -= 1;
      if (allowance.leftOut > 0) {
        waiting.push({ agent, event: { ts, kind: 'left_out', count: allowance.leftOut } });
        allowance.leftOut = 0;
      }
      waiting.push({ agent, event: { ts, ...event } });
    },
    forget: (agent) => {
      allowances.delete(agent);
      waiting = waiting.filter((one) => one.agent !== agent);
    },
    retry: () => saveSome(BATCH),
    flush: () => {
      // Alongside what is under way.
      isSaving = false;
      saveSome(MAX_WAITING);
    },
  };
}
