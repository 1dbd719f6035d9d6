/** For tests: the simulation as `npm run simulate` runs it, in a process of its own. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { NODE_OPTIONS } from './node-options.ts';

export const main = join(import.meta.dirname, 'main.ts');
export const run = promisify(execFile);

export const failureSchema = z.object({
  seed: z.number(),
  violations: z.array(z.object({ rule: z.string(), detail: z.string() })).min(1),
  faults: z.array(z.string()),
  replay: z.string(),
  digest: z.string(),
});
const summarySchema = z.object({
  seeds: z.number(),
  faults: z.record(z.string(), z.number()),
  simulatedHours: z.number(),
  samples: z.number(),
  thinned: z.number(),
  speed: z.number(),
  digest: z.string(),
  failures: z.array(failureSchema),
});

/** Exit code, and the last line as what it must be: one JSON object that sums up. */
export async function simulate(...args: readonly string[]) {
  const argv = [...NODE_OPTIONS, main, '--json', ...args];
  const { code, stdout } = await run(process.execPath, argv, { maxBuffer: 64 * 2 ** 20 }).then(
    (done) => ({ code: 0, stdout: done.stdout }),
    (error: { code: number; stdout: string }) => error,
  );
  const lines = stdout.trimEnd().split('\n');
  return { code, stdout, summary: summarySchema.parse(JSON.parse(lines.at(-1) ?? '')) };
}
