/**
 * Writes down the alarms of agents: what HQ books as lost is told once, and an operator who looks after a restart of HQ must see it.
 *
 * One small record an agent. What comes while a commit is on its way goes with the next; an alarm that goes on unchanged is
 * written again once a minute; what could not be written is tried again at `retry`.
 */
import type { AgentAlarm } from '../../protocol/fleet.ts';
import type { AlarmRecord } from '../store/alarms.ts';
import type { OpenedHqStore } from '../store/open-hq-store.ts';

export type AlarmKeeper = {
  /** `now`: HQ's wall time, ms. */
  readonly raised: (agent: string, alarm: AgentAlarm, now: number) => void;
  readonly ended: (agent: string) => void;
  readonly retry: () => void;
};

const SAVE_EVERY_MS = 60_000;

export function createAlarmKeeper(store: Pick<OpenedHqStore, 'saveAlarms'>): AlarmKeeper {
  /** As last written, or about to be. */
  const kept = new Map<string, AlarmRecord>();
  /** To be written; null: to be removed. */
  const due = new Map<string, AlarmRecord | null>();
  let saving = false;

  function save(): void {
    if (saving || due.size === 0) return;
    const batch = new Map(due);
    due.clear();
    saving = true;
    store.saveAlarms(batch).subscribe({
      error: () => {
        saving = false;
        for (const [agent, record] of batch) if (!due.has(agent)) due.set(agent, record);
      },
      complete: () => {
        saving = false;
        save();
      },
    });
  }

  return {
    raised: (agent, alarm, now) => {
      const before = kept.get(agent);
      const isNew =
        before?.kind !== alarm.kind || before.since !== alarm.since || before.detail !== alarm.detail;
      if (!isNew && Math.abs(now - before.lastTs) < SAVE_EVERY_MS) return;
      const record = { ...alarm, lastTs: now };
      kept.set(agent, record);
      due.set(agent, record);
      save();
    },
    ended: (agent) => {
      kept.delete(agent);
      due.set(agent, null);
      save();
    },
    retry: save,
  };
}
