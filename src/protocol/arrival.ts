/** When samples arrived at HQ, as HQ's API has it. Times are epoch ms. */
import { z } from 'zod';

/** `mixed`: what came by both ways lies in one record since it was merged. */
export const ARRIVAL_LANES = ['live', 'backlog', 'http', 'mixed'] as const;

export const arrivalSchema = z.object({
  tsMin: z.number().describe('earliest sample of the run'),
  tsMax: z.number().describe('latest sample of the run'),
  at0: z.number().describe("when the first of it arrived, HQ's clock"),
  at1: z.number().describe("when the last of it arrived, HQ's clock"),
  count: z.number().describe('samples, thinned ones among them'),
  lane: z
    .enum(ARRIVAL_LANES)
    .describe(
      'how it came: live, backlog, http; mixed: frames of both lanes were merged, and it is not known any more of which each sample was',
    ),
});
export type Arrival = z.infer<typeof arrivalSchema>;
