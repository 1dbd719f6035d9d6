/** Labels: told by an agent, set by HQ, kept over restarts of both. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { impatient, startAgentProcess } from '../support/agent.ts';
import { built } from '../support/holdfast.ts';
import { getJson, startHqProcess, summaryOf } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

it('tells labels at hello, filters by them, and lets HQ set others that outlast restarts', async () => {
  const folder = temporaryFolder();
  const first = await startHqProcess(join(folder, 'hq'), built);
  const startAgent = (id: string, labels: readonly string[], hq: string) =>
    startAgentProcess({
      ...built,
      ...{ id, hq, dataDir: join(folder, id), sources: ['sim:hz=5,sensors=1'] },
      args: [...impatient, ...labels.flatMap((one) => ['--labels', one])],
    });
  const north = startAgent('north', ['site=nord', 'rack=7'], first.url);
  startAgent('south', ['site=sued'], first.url);
  const idsWith = async (url: string, query: string) => {
    const found = await getJson(`${url}/api/v1/agents?${query}`);
    return z
      .object({ items: z.array(z.object({ id: z.string() })) })
      .parse(found)
      .items.map(({ id }) => id);
  };
  await until(
    'both to be known by their labels',
    async () => (await idsWith(first.url, 'label=site')).length === 2,
  );
  expect(await idsWith(first.url, 'label=site:nord')).toEqual(['north']);

  const answer = await fetch(`${first.url}/api/v1/agents/north/labels`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ labels: { site: 'west', rack: null, owner: 'ann' } }),
  });
  expect(answer.status).toBe(200);
  const set = { owner: 'ann', site: 'west' };
  expect((await summaryOf(first.url, 'north')).labels).toEqual(set);
  const line = await until('the line of the change', () =>
    first.stderr.find((one) => one.includes('"labels_set"')),
  );
  expect(JSON.parse(line)).toMatchObject({
    agent: 'north',
    address: '127.0.0.1',
    set: { site: 'west' },
    before: {},
  });

  expect(await north.end('SIGTERM')).toBe(0);
  expect(await first.end('SIGTERM')).toBe(0);
  const second = await startHqProcess(join(folder, 'hq'), built);
  expect((await summaryOf(second.url, 'north')).labels, 'before the agent is back').toEqual(set);
  startAgent('north', ['site=ost', 'role=gate'], second.url);
  await until('the new label', async () => (await summaryOf(second.url, 'north')).labels.role === 'gate');
  expect(await getJson(`${second.url}/api/v1/agents/north/labels`)).toEqual({
    id: 'north',
    labels: { owner: 'ann', role: 'gate', site: 'west' },
    told: { role: 'gate', site: 'ost' },
    set: { site: 'west', rack: null, owner: 'ann' },
  });
});
