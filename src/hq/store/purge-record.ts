/** That an agent is removed for good: how far it has come, and what its ledger came to. */
import { z } from 'zod';
import { parseJson } from './epoch-state.ts';

const count = z.number().int().min(0);

const purgeSchema = z.object({
  /** HQ's wall time of the order, ms. */
  ts: z.number(),
  /**
   * `marked`: its epochs are being closed, its records are all there; `emptying`: those are being removed, and are
   * accounted for nowhere; `done`: there are none any more.
   */
  phase: z.enum(['marked', 'emptying', 'done']),
  counts: z.object({ sampled: count, stored: count, pending: count, thinned: count, dropped: count }),
});
export type PurgeRecord = Readonly<z.infer<typeof purgeSchema>>;

/** The agent is being removed: nothing is written of it. */
export const isRunning = (purge: PurgeRecord | undefined): boolean =>
  purge !== undefined && purge.phase !== 'done';

/** Undefined when absent or unreadable. */
export function decodePurge(value: Uint8Array | undefined): PurgeRecord | undefined {
  const parsed = purgeSchema.safeParse(parseJson(value));
  return parsed.success ? parsed.data : undefined;
}
