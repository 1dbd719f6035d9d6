/** The data file of a journal that is taken away under a running agent. */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { agentStatus, startAgentProcess } from '../support/agent.ts';
import { built } from '../support/holdfast.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

it('is noticed and told, and once the file is back nothing is lost', async () => {
  const folder = temporaryFolder();
  const dataDir = join(folder, 'edge');
  const hq = await startHqProcess(join(folder, 'hq'));
  const sources = ['sim:hz=10,sensors=1,seed=1'];
  const agent = startAgentProcess({ id: 'edge', hq: hq.url, dataDir, sources, ...built });
  await until('samples', async () => ((await agentStatus(agent))?.journal?.sampled ?? 0) > 10);
  renameSync(join(dataDir, 'data.mdb'), join(folder, 'taken.mdb'));
  await until(
    'the agent to notice',
    async () => (await agentStatus(agent))?.journal?.disk === 'failing' || null,
  );
  const line = await until('a line', async () =>
    agent.stderr.find((one) => one.includes('"commit_failing"')),
  );
  expect(line).toContain('was moved, deleted or replaced while it was in use');
  const before = (await agentStatus(agent))?.journal?.sampled ?? 0;

  renameSync(join(folder, 'taken.mdb'), join(dataDir, 'data.mdb'));
  await until('samples again', async () => ((await agentStatus(agent))?.journal?.sampled ?? 0) > before + 20);
  expect((await agentStatus(agent))?.journal?.disk).toBe('good');
  expect(await agent.end('SIGTERM')).toBe(0);
  const [entry, ...others] = await ledgerOf(hq.url, 'edge');
  expect(others).toEqual([]);
  expect(entry).toMatchObject({ pending: 0, dropped: {}, thinned: {} });
});
