/**
 * Writes down the alarms of agents: what HQ accounts as lost is told once, and an operator who looks after a restart of
 * HQ must see it.
 *
 * One small record an agent; an alarm that goes on unchanged is written again once a minute.
 */
import type { AgentAlarm } from '../../protocol/api.ts';
import type { AlarmRecord } from '../store/alarms.ts';
import type { AlarmStore } from '../store/store.ts';
import { createRecordKeeper } from './record-keeper.ts';

export type AlarmKeeper = {
  /** `now`: HQ's wall time, ms. */
  readonly raised: (agent: string, alarm: AgentAlarm, now: number) => void;
  readonly ended: (agent: string) => void;
  /** All of the agent has been removed. */
  readonly forget: (agent: string) => void;
  readonly retry: () => void;
};

const SAVE_EVERY_MS = 60_000;

export function createAlarmKeeper(saveAlarms: AlarmStore['saveAlarms']): AlarmKeeper {
  /** As last written, or about to be. */
  const kept = new Map<string, AlarmRecord>();
  const records = createRecordKeeper(saveAlarms);
  return {
    raised: (agent, alarm, now) => {
      const before = kept.get(agent);
      const isNew =
        before?.kind !== alarm.kind || before.since !== alarm.since || before.detail !== alarm.detail;
      if (!isNew && Math.abs(now - before.lastTs) < SAVE_EVERY_MS) return;
      const record = { ...alarm, lastTs: now };
      kept.set(agent, record);
      records.put(agent, record);
    },
    ended: (agent) => {
      kept.delete(agent);
      records.put(agent, null);
    },
    forget: (agent) => {
      kept.delete(agent);
      records.forget(agent);
    },
    retry: records.retry,
  };
}
