/** Alarms of agents, as the store keeps them: the latest of each agent. */
import { z } from 'zod';
import { agentAlarmSchema } from '../../protocol/api.ts';
import type { Storage } from '../../storage/storage.ts';
import { parseJson, toJson } from './epoch-state.ts';
import { agentOfAlarm, alarmKey, kindRange, successor } from './keys.ts';
import type { Transaction } from './transactions.ts';

const alarmRecordSchema = agentAlarmSchema.extend({
  /** HQ's wall time when it last recurred, ms. */
  lastTs: z.number(),
});
export type AlarmRecord = z.infer<typeof alarmRecordSchema>;

const PAGE = 1000;

/** By agent; those that cannot be read are left out. */
export function readAlarms(storage: Storage): ReadonlyMap<string, AlarmRecord> {
  const found = new Map<string, AlarmRecord>();
  let range = kindRange('W');
  for (;;) {
    const entries = storage.read((reader) => reader.range({ ...range, limit: PAGE }));
    for (const { key, value } of entries) {
      const parsed = alarmRecordSchema.safeParse(parseJson(value));
      if (parsed.success) found.set(agentOfAlarm(key), parsed.data);
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < PAGE) return found;
    range = { ...range, from: successor(last.key) };
  }
}

/** `null` removes. */
export function writeAlarms({ writer }: Transaction, changes: ReadonlyMap<string, AlarmRecord | null>): void {
  for (const [agent, record] of changes) {
    if (record === null) writer.remove(alarmKey(agent));
    else writer.put(alarmKey(agent), toJson(record));
  }
}
