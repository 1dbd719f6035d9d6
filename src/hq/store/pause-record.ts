/** Why frames of an agent wait, as it said itself. */
import { z } from 'zod';

export const pauseSchema = z.object({
  reason: z.string().max(200),
  /** When it ends, by the agent's clock, ms; null: not known. */
  until: z.number().nullable(),
  /** HQ's wall time when the agent said so, ms. */
  ts: z.number(),
});
export type PauseRecord = Readonly<z.infer<typeof pauseSchema>>;
