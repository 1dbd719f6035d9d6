/** Records of gaps; the key of one names the epoch and its first seq. */
import { z } from 'zod';
import { GAP_REASONS } from '../../protocol/frame.ts';
import { parseJson } from './epoch-state.ts';

const gapRecordSchema = z.object({
  lastSeq: z.number(),
  /** `purged`: HQ held them when the agent was removed for good. */
  reason: z.enum([...GAP_REASONS, 'purged']),
  fromTs: z.number(),
  toTs: z.number(),
  /** What lies right alongside it had not all come yet, so that its times may reach over that. */
  open: z.literal(true).optional(),
});
export type GapRecord = Readonly<z.infer<typeof gapRecordSchema>>;

/** Undefined when absent or unreadable. */
export function decodeGapRecord(value: Uint8Array | undefined): GapRecord | undefined {
  const parsed = gapRecordSchema.safeParse(parseJson(value));
  return parsed.success ? parsed.data : undefined;
}
