/**
 * Writes down why frames of agents wait, with the records of the agents: an agent without budget is silent for days,
 * and an operator who looks after a restart of HQ must see why. What HQ refuses frames with is not written down: it
 * says it again.
 */
import type { LinkReport } from '../../protocol/events.ts';
import type { PauseRecord } from '../store/pause-record.ts';
import type { PauseStore } from '../store/store.ts';
import { createRecordKeeper } from './record-keeper.ts';

export type PauseKeeper = {
  /** What an agent says of its link. `now`: HQ's wall time, ms. */
  readonly said: (agent: string, link: Pick<LinkReport, 'paused' | 'pausedUntil'>, now: number) => void;
  /** A record found at the start: what to show of the link; null when it is too old to say anything. */
  readonly restored: (agent: string, record: PauseRecord, now: number) => LinkReport | null;
  /** It is retired: there is nothing to write of it. */
  readonly forget: (agent: string) => void;
  readonly retry: () => void;
};

/** Reasons of the agent itself. */
const OWN: ReadonlySet<string> = new Set(['budget_day', 'budget_month', 'live_first', 'window', 'way']);
/** A pause in a store that was away for longer, or that should have ended so long ago, says nothing of today. */
const FORGET_MS = 7 * 86_400_000;

export function createPauseKeeper(savePauses: PauseStore['savePauses']): PauseKeeper {
  /** As last written, or about to be. */
  const kept = new Map<string, PauseRecord>();
  const records = createRecordKeeper(savePauses);
  const end = (agent: string) => {
    if (kept.delete(agent)) records.put(agent, null);
  };
  return {
    said: (agent, { paused, pausedUntil: until = null }, now) => {
      if (paused === undefined || !OWN.has(paused)) {
        end(agent);
        return;
      }
      const before = kept.get(agent);
      if (before?.reason === paused && before.until === until) return;
      const record = { reason: paused, until, ts: now };
      kept.set(agent, record);
      records.put(agent, record);
    },
    restored: (agent, record, now) => {
      kept.set(agent, record);
      const { reason, until, ts } = record;
      if (now - Math.max(ts, until ?? ts) > FORGET_MS) {
        end(agent);
        return null;
      }
      const unknown = { rate: null, minRttMs: null, queueMs: null, live: 0, backlog: 0 };
      return { ...unknown, paused: reason, ...(until !== null && { pausedUntil: until }) };
    },
    forget: (agent) => {
      kept.delete(agent);
      records.forget(agent);
    },
    retry: records.retry,
  };
}
