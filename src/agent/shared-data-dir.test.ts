/** Agents that share a data directory, as the replicas of a container do. */
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../../tests/support/temporary.ts';
import { createSystemClock } from '../platform/clock.ts';
import { systemIds } from '../platform/ids.ts';
import { silentLogger } from '../platform/logger.ts';
import { systemRandom } from '../platform/random.ts';
import { agentConfigSchema, checkAgentConfig } from './config.ts';
import { startAgent } from './main.ts';

/** Where nothing listens. */
const NOWHERE = 'http://127.0.0.1:9';

async function start(dataDir: string) {
  const config = agentConfigSchema.parse({
    hq: NOWHERE,
    dataDir,
    sharedDataDir: true,
    source: ['sim:hz=5,sensors=1'],
  });
  const agent = await startAgent(config, {
    clock: createSystemClock(),
    random: systemRandom,
    ids: systemIds,
    logger: silentLogger,
  });
  onTestFinished(agent.stop);
  return agent;
}

it('each take a folder and an id of their own, also when they start at the same time', async () => {
  const dataDir = temporaryFolder();
  const agents = await Promise.all([start(dataDir), start(dataDir), start(dataDir)]);
  expect(agents.map((agent) => agent.dataDir).toSorted()).toEqual(
    [1, 2, 3].map((place) => join(dataDir, `agent-${place}`)),
  );
  expect(new Set(agents.map(({ id }) => id)).size).toBe(3);
  for (const agent of agents) expect(agent.status().dataDir).toBe(agent.dataDir);
});

it('find what those before them have left, in whatever order they come', async () => {
  const dataDir = temporaryFolder();
  const before = await Promise.all([start(dataDir), start(dataDir)]);
  const left = (agents: typeof before) =>
    agents.map(({ id, dataDir, status }) => `${dataDir} ${id} ${status().journal?.epoch}`).toSorted();
  const known = left(before);
  await Promise.all(before.map((agent) => agent.stop()));
  expect(left(await Promise.all([start(dataDir), start(dataDir)]))).toEqual(known);
});

it('cannot be given one id', () => {
  const config = agentConfigSchema.parse({ id: 'edge', sharedDataDir: true });
  expect(checkAgentConfig(config)).toEqual([expect.stringContaining('id and sharedDataDir are both set')]);
});
