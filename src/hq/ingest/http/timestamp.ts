/** The time of a delivered record. */
import { z } from 'zod';
import { isWrittenTs, WRITTEN_YEARS } from '../../../protocol/written-time.ts';
import { unlessInexact } from '../../http/exact-json.ts';
import { parseDeliveredInstant } from '../../http/instant.ts';

const EXPECTED = 'must be an RFC 3339 time such as 2026-01-31T12:00:00Z, or epoch ms, or epoch seconds';

export const timestampSchema = z
  .union([z.string(), z.number()], { error: unlessInexact(EXPECTED) })
  .describe(
    'RFC 3339 (without an offset: UTC), or a number: epoch seconds when below 100,000,000,000, epoch milliseconds from there on; of the years 0 to 9999',
  )
  .transform((value, context) => {
    const ms = parseDeliveredInstant(value);
    if (ms !== null && isWrittenTs(ms)) return ms;
    context.addIssue({ code: 'custom', message: ms === null ? EXPECTED : WRITTEN_YEARS });
    return z.NEVER;
  });
