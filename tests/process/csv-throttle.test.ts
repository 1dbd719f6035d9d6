/** A CSV replay that waits for the journal: an outage does not fill it, and every row arrives in the end. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { agentMetrics, agentStatus, startAgentProcess } from '../support/agent.ts';
import { built } from '../support/holdfast.ts';
import { allSamples, ledgerOf, startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const ROWS = 20_000;
const DEPTH = 2000;
/** Samples that may be on their way to the journal when the depth is reached. */
const ON_THEIR_WAY = 3 * 4096;

it('waits while HQ is away, says so in its metrics, and delivers all once HQ is back', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'run.csv');
  const rows = Array.from({ length: ROWS }, (_, row) => `${1_700_000_000 + row},${row}\n`);
  writeFileSync(path, `time,a\n${rows.join('')}`);
  const away = await startHqProcess(join(folder, 'hq'), built);
  const port = Number(new URL(away.url).port);
  expect(await away.end('SIGTERM')).toBe(0);

  const agent = startAgentProcess({
    ...built,
    ...{ id: 'edge', hq: away.url, dataDir: join(folder, 'edge') },
    sources: [`csv:path=${path},speed=max,throttleDepth=${DEPTH},throttleRate=0`],
  });
  const metrics = await until('the throttle', async () => {
    const text = (await agentMetrics(agent)) ?? '';
    return text.includes('holdfast_agent_csv_throttle_rate{source="csv"} 0\n') ? text : undefined;
  });
  expect(metrics).toContain('holdfast_agent_commit_failures_total');
  const pending = (await agentStatus(agent))?.journal?.pending ?? 0;
  expect(pending).toBeGreaterThan(DEPTH);
  expect(pending).toBeLessThanOrEqual(DEPTH + ON_THEIR_WAY);

  const hq = await startHqProcess(join(folder, 'hq'), { ...built, port });
  await until(
    'all rows at HQ',
    async () => (await ledgerOf(hq.url, 'edge').catch(() => []))[0]?.stored === ROWS,
  );
  const values = (await allSamples(hq.url, 'edge')).map((sample) => sample.values.a);
  expect(values).toEqual(rows.map((_, row) => row));
  await until('the end of the throttle', async () =>
    (await agentMetrics(agent))?.includes('holdfast_agent_csv_throttle_rate{source="csv"} 1\n'),
  );
});
