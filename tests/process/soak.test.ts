/** Ten minutes of an ordinary agent's life, in real time: its memory stays small and does not grow. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { journalStats, startAgentProcess } from '../support/agent.ts';
import { built, residentBytes } from '../support/holdfast.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

/** A developer in a hurry may shorten it; the name of the test tells. */
const seconds = Number(process.env.SOAK_SECONDS ?? 600);
const MIB = 1024 ** 2;
const MAX_RESIDENT_MB = 90;
/** Between the two halves of the second half: noise of the collector, no trend. */
const MAX_GROWTH_MB = 4;

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

it(`an agent with 17 series at 10 Hz stays within ${MAX_RESIDENT_MB} MB for ${seconds} s`, {
  timeout: (seconds + 120) * 1000,
}, async () => {
  const folder = temporaryFolder();
  const hq = await startHqProcess(join(folder, 'hq'), built);
  const dataDir = join(folder, 'edge');
  const agent = startAgentProcess({
    id: 'edge',
    hq: hq.url,
    dataDir,
    sources: ['sim:hz=10,sensors=17'],
    args: [],
    ...built,
  });
  const resident: number[] = [];
  const end = performance.now() + seconds * 1000;
  // Ten minutes are what is asked about: here time itself is the condition.
  await until(
    'the time to pass',
    () => {
      resident.push(residentBytes(agent.pid) / MIB);
      return performance.now() > end;
    },
    { deadlineMs: (seconds + 60) * 1000, everyMs: 1000 },
  );

  const later = resident.slice(Math.floor(resident.length / 2));
  const growth =
    mean(later.slice(Math.floor(later.length / 2))) - mean(later.slice(0, Math.floor(later.length / 2)));
  process.stdout.write(
    `soak: ${resident.at(-1)?.toFixed(1)} MB at the end, at most ${Math.max(...resident).toFixed(1)} MB, grew by ${growth.toFixed(1)} MB\n`,
  );
  expect(resident.at(-1)).toBeLessThanOrEqual(MAX_RESIDENT_MB);
  expect(growth).toBeLessThan(MAX_GROWTH_MB);

  expect(await agent.end('SIGTERM')).toBe(0);
  const { sampled } = await journalStats(dataDir, built);
  expect(sampled).toBeGreaterThan(seconds * 9);
  expect(await ledgerOf(hq.url, 'edge')).toMatchObject([
    { sampled, stored: sampled, pending: 0, dropped: {}, gaps: [] },
  ]);
});
