/** An HQ process with one honest agent, watched while something attacks it. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { z } from 'zod';
import { journalStats, startAgentProcess } from './agent.ts';
import { built } from './holdfast.ts';
import { allSamples, ledgerOf, type RunningHq, startHqProcess, summaryOf } from './hq.ts';
import { expectWithin, long } from './long.ts';
import { highest, watchMemory } from './memory.ts';
import { temporaryFolder } from './temporary.ts';
import { until } from './wait.ts';

export const HONEST = 'honest';
const HZ = 10;
const MAX_LAG_MS = 2_000;
const MAX_GROWTH_BYTES = 200 * 2 ** 20;
const MAX_STOP_MS = 5_000;
const ERROR_LEVEL = 50;
const logLine = z.looseObject({ level: z.number(), event: z.string().optional() });

/**
 * Runs `attack` on an HQ that an honest agent delivers to, then holds HQ to this: it is still the same process, the
 * honest agent's samples all came (within 2 s, where times are judged), memory stayed in bounds, no error was logged,
 * and it still stops in order.
 */
export async function underAttack(attack: (hq: RunningHq) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  const hq = await startHqProcess(join(folder, 'hq'), built);
  const dataDir = join(folder, HONEST);
  const agent = startAgentProcess({
    id: HONEST,
    hq: hq.url,
    dataDir,
    sources: [`sim:hz=${HZ},sensors=4,seed=1`],
    ...built,
  });
  const storedOf = async () => (await summaryOf(hq.url, HONEST)).stored;
  await until('the honest agent to be served', async () => (await storedOf()) > HZ);

  const memory = watchMemory(hq.pid, 50);
  const from = Date.now();
  await attack(hq);
  const during = await storedOf();
  await until('the honest agent to go on', async () => (await storedOf()) > during + HZ);
  const to = Date.now();

  expect(hq.process.exitCode, 'HQ is still the process it was').toBeNull();
  expect((await fetch(`${hq.url}/readyz`)).status).toBe(200);
  expect(await agent.end('SIGTERM')).toBe(0);
  const samples = await allSamples(hq.url, HONEST, { from, to });
  if (long) expect(samples.length).toBeGreaterThan(((to - from) / 1000) * HZ * 0.7);
  expectWithin(Math.max(...samples.map(({ arrivalTs, ts }) => arrivalTs - ts)), MAX_LAG_MS);
  const { epoch, sampled } = await journalStats(dataDir, built);
  const gone = { pending: 0, thinned: {}, dropped: {}, ranges: [], gaps: [] };
  expect(await ledgerOf(hq.url, HONEST)).toEqual([
    { epoch, sampled, stored: sampled, contiguous: sampled, ...gone },
  ]);
  expect(highest(memory) - highest(memory.slice(0, 1))).toBeLessThan(MAX_GROWTH_BYTES);

  const asked = performance.now();
  expect(await hq.end('SIGTERM')).toBe(0);
  expectWithin(performance.now() - asked, MAX_STOP_MS);
  // What is no log line was written by Node about something that nobody caught.
  const lines = hq.stderr.map((line) => logLine.parse(JSON.parse(line)));
  expect(lines.filter(({ level }) => level >= ERROR_LEVEL)).toEqual([]);
}
