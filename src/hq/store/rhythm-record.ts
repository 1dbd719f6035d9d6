/** How often an agent delivers over HTTP. */
import { z } from 'zod';

export const rhythmSchema = z.object({
  /** HQ's wall time of its last delivery, ms; a crash of HQ may leave an older one. */
  lastTs: z.number(),
  /** Time between its last deliveries, ms, oldest first. */
  pauses: z.array(z.number().min(0)).max(64),
});
export type RhythmRecord = Readonly<z.infer<typeof rhythmSchema>>;
