/**
 * `node simulation/stampede.ts '{"agents":5000, …}'`: plays one stampede, see `StampedeOptions`, and prints what came
 * of it as one line of JSON.
 */
import { z } from 'zod';
import { runStampede } from './world/run-stampede.ts';

const optionsSchema = z.strictObject({
  seed: z.number(),
  agents: z.int().positive(),
  periodMs: z.number().positive(),
  outageMs: z.number().positive(),
  reconnectsPerSecond: z.int().positive(),
  drainSlots: z.int().positive(),
  failingMs: z.number(),
  drainWithinMs: z.number().positive(),
});
const result = runStampede(optionsSchema.parse(JSON.parse(process.argv[2] ?? '{}')));
const used = { seconds: process.cpuUsage().user / 1e6, peakMb: process.resourceUsage().maxRSS / 1024 };
process.stdout.write(`${JSON.stringify({ ...result, ...used })}\n`);
