/** Alarms of agents, as the store keeps them: the latest of each agent. */
import { z } from 'zod';
import { agentAlarmSchema } from '../../protocol/api.ts';

export const alarmRecordSchema = agentAlarmSchema.extend({
  /** HQ's wall time when it last recurred, ms. */
  lastTs: z.number(),
});
export type AlarmRecord = z.infer<typeof alarmRecordSchema>;
