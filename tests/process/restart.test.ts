/** An agent that has to be started again, as when HQ refuses the epoch of its journal, reads its settings again. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type FakeHq, startFakeHq } from '../../src/agent/testing/fake-hq.ts';
import { agentStatus } from '../support/agent.ts';
import { built, type Running, run } from '../support/holdfast.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const FORKED = { ok: false, error: { code: 'forked_epoch', message: 'another copy has delivered in it' } };

const UNAVAILABLE = { ok: false, error: { code: 'unavailable', message: 'later' } };

/** An agent from a settings file, with an HQ that has no time for its first epoch until `refuse`. */
async function startCopy(folder: string, settings: (hq: FakeHq) => string) {
  let refuses = false;
  let first: string | null = null;
  const hq = await startFakeHq(() => ({
    hello: ({ epoch }) => {
      first ??= epoch;
      if (epoch !== first) return undefined;
      return refuses ? FORKED : UNAVAILABLE;
    },
  }));
  onTestFinished(() => hq.close());
  const file = join(folder, 'agent.yaml');
  writeFileSync(file, settings(hq));
  const agent = run(['agent', '--config', file], built);
  return {
    hq,
    file,
    agent,
    refuse: () => {
      refuses = true;
    },
  };
}

const settingsWith = (folder: string, source: string) => (hq: FakeHq) =>
  [
    `hq: ${hq.url}`,
    'id: edge',
    `dataDir: ${join(folder, 'edge')}`,
    `source: [${source}]`,
    'uplink: {backoffInitialMs: 50, backoffMaxMs: 400, connectTimeoutMs: 1000}',
  ].join('\n');

const sourceOf = async (agent: Running) => {
  const source = (await agentStatus(agent))?.pipeline?.sources[0];
  return source !== undefined && source.samples > 0 ? source.name : null;
};
const untilItSamples = (agent: Running, name: string) =>
  until(`the agent to sample ${name}`, async () => (await sourceOf(agent)) === name);

describe('an agent that is started again in its process', () => {
  it('takes what has changed in its settings file', async () => {
    const folder = temporaryFolder();
    const { hq, file, agent, refuse } = await startCopy(
      folder,
      settingsWith(folder, '{kind: sim, hz: 20, name: before}'),
    );
    await untilItSamples(agent, 'before');
    writeFileSync(file, settingsWith(folder, '{kind: sim, hz: 20, name: after}')(hq));
    refuse();
    await untilItSamples(agent, 'after');
    await until('the new epoch to be delivered', () => hq.frames.length > 0);
    expect(new Set(hq.hellos.map(({ epoch }) => epoch)).size).toBe(2);
    expect(await agent.end('SIGTERM')).toBe(0);
  });

  it('goes on with the settings that it had when the file has a mistake', async () => {
    const folder = temporaryFolder();
    const { hq, file, agent, refuse } = await startCopy(
      folder,
      settingsWith(folder, '{kind: sim, hz: 20, name: before}'),
    );
    await untilItSamples(agent, 'before');
    writeFileSync(file, settingsWith(folder, '{kind: sim, hzz: 20}')(hq));
    refuse();
    await until('the mistake to be told', () =>
      agent.stderr.some((line) => line.includes('goes on with those it had') && line.includes('hzz')),
    );
    await until('the new epoch to be delivered', () => hq.frames.length > 0);
    await untilItSamples(agent, 'before');
    expect(await agent.end('SIGTERM')).toBe(0);
  });
});
