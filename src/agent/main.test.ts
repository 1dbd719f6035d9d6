/** Whole agents, on real files and sockets. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filter, firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../tests/support/eventually.ts';
import { createSystemClock } from '../platform/clock.ts';
import { systemIds } from '../platform/ids.ts';
import { type LogFields, type Logger, silentLogger } from '../platform/logger.ts';
import { systemRandom } from '../platform/random.ts';
import { agentConfigSchema } from './config.ts';
import { AgentConfigError, type RunningAgent, startAgent } from './main.ts';
import { type FakeHq, type FakeHqBehaviour, startFakeHq } from './testing/fake-hq.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-agent-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function fakeHq(behaviour: FakeHqBehaviour = {}): Promise<FakeHq> {
  const hq = await startFakeHq(() => behaviour);
  cleanups.push(hq.close);
  return hq;
}

type Line = LogFields & { readonly level: string };

function recordingLogger(lines: Line[]): Logger {
  const log = (level: string) => (fields: LogFields) => void lines.push({ ...fields, level });
  const logger: Logger = {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    child: () => logger,
    missing: silentLogger.missing,
  };
  return logger;
}

const impatient = { backoffInitialMs: 20, backoffMaxMs: 60, connectTimeoutMs: 500, heartbeatMs: 200 };

async function agentFor(
  hq: string,
  options: { dataDir?: string; settings?: Record<string, unknown> } = {},
): Promise<RunningAgent & { readonly lines: Line[] }> {
  const lines: Line[] = [];
  const config = agentConfigSchema.parse({
    hq,
    id: 'edge',
    dataDir: options.dataDir ?? temporary(),
    source: ['sim:hz=50,sensors=2,seed=1'],
    journal: { commitMs: 20 },
    uplink: impatient,
    ...options.settings,
  });
  const agent = await startAgent(config, {
    clock: createSystemClock(),
    random: systemRandom,
    ids: systemIds,
    logger: recordingLogger(lines),
  });
  cleanups.push(agent.stop);
  return Object.assign(agent, { lines });
}

const linesOf = (lines: readonly Line[], event: string) => lines.filter((line) => line.event === event);
const stateOf = (agent: RunningAgent, state: string) =>
  firstValueFrom(agent.state$.pipe(filter((now) => now === state)));

describe('an agent', () => {
  it('samples, journals, delivers, and loses nothing when it is stopped', async () => {
    const hq = await fakeHq();
    const dataDir = temporary();
    const agent = await agentFor(hq.url, { dataDir });
    await agent.ready;
    await stateOf(agent, 'live');
    await eventually(() => expect(hq.coverage().contiguous).toBeGreaterThan(20));
    await agent.stop();
    expect(hq.goodbyes).toHaveLength(1);
    const { sampled } = agent.status().journal ?? { sampled: -1 };
    expect(hq.coverage()).toEqual({ contiguous: sampled, ranges: [] });
    expect(linesOf(agent.lines, 'agent_stopped')).toMatchObject([
      { level: 'info', pending: 0, uncommitted: 0, discarded: 0, clean: true },
    ]);
    expect(agent.loss()).toBeNull();

    const again = await agentFor(hq.url, { dataDir });
    await eventually(() => expect(hq.coverage().contiguous).toBeGreaterThan(sampled));
    expect(hq.hellos.at(-1)).toMatchObject({ epoch: hq.hellos[0]?.epoch, released: sampled });
    expect(hq.coverage().ranges).toEqual([]);
    await again.stop();
  });

  it('says that its journal is gone, and begins a new one', async () => {
    const hq = await fakeHq();
    const dataDir = temporary();
    const first = await agentFor(hq.url, { dataDir });
    await stateOf(first, 'live');
    await first.stop();
    rmSync(join(dataDir, 'data.mdb'));
    const next = await fakeHq();
    const agent = await agentFor(next.url, { dataDir });
    await stateOf(agent, 'live');
    expect(linesOf(agent.lines, 'journal_missing')).toMatchObject([
      { level: 'error', detail: expect.stringContaining('in use by an agent since') },
    ]);
    expect(agent.status().troubles).toMatchObject([{ what: 'The journal is gone' }]);
    expect(next.hellos[0]?.epoch).not.toBe(hq.hellos[0]?.epoch);
    await agent.stop();
  });

  it('goes on sampling without HQ and delivers everything once it is there', async () => {
    let down = true;
    const hq = await startFakeHq(() => (down ? { token: 'not yours' } : {}));
    cleanups.push(hq.close);
    const agent = await agentFor(hq.url);
    await stateOf(agent, 'offline');
    await eventually(() => expect(agent.status().journal?.pending).toBeGreaterThan(30));
    expect(linesOf(agent.lines, 'link_down')).toMatchObject([{ kind: 'unauthorized', level: 'warn' }]);
    down = false;
    await eventually(() => expect(hq.coverage().contiguous).toBeGreaterThan(30));
    expect(linesOf(agent.lines, 'link_up')).toMatchObject([{ after: 'unauthorized' }]);
  });

  it.each<[string, FakeHqBehaviour, string]>([
    [
      'wrong acks',
      { frame: () => ({ ok: true, ack: { contiguous: 1e9, ranges: [] }, credit: 1 }) },
      'protocol',
    ],
    ['garbage for acks', { frame: () => 'garbage' }, 'protocol'],
    ['garbage for a hello', { hello: () => 17 }, 'protocol'],
    [
      'another version',
      { hello: () => ({ ok: false, error: { code: 'unsupported_version', message: 'too old' } }) },
      'unsupported_version',
    ],
  ])('that meets %s says so once and keeps its samples', async (_what, behaviour, kind) => {
    const hq = await fakeHq(behaviour);
    const agent = await agentFor(hq.url);
    await eventually(() => expect(hq.hellos.length).toBeGreaterThan(3));
    expect(linesOf(agent.lines, 'link_down')).toMatchObject([{ kind }]);
    expect(agent.status().journal).toMatchObject({ acked: 0, released: 0 });
    expect(agent.status().troubles.map(({ what }) => what)).toContain('No link to HQ');
  });

  it('refuses settings that contradict each other', async () => {
    const starting = agentFor('http://127.0.0.1:9', {
      settings: { uplink: { ackTimeoutMs: 60_000, breakerOpenMs: 1_000 } },
    });
    await expect(starting).rejects.toBeInstanceOf(AgentConfigError);
  });

  it('tells a data directory that cannot be used, and leaves nothing open', async () => {
    const file = join(temporary(), 'file');
    writeFileSync(file, '');
    await expect(agentFor('http://127.0.0.1:9', { dataDir: join(file, 'x') })).rejects.toMatchObject({
      name: 'StorageError',
    });
  });

  it('does not share its directory', async () => {
    const dataDir = temporary();
    mkdirSync(dataDir, { recursive: true });
    await agentFor('http://127.0.0.1:9', { dataDir });
    await expect(agentFor('http://127.0.0.1:9', { dataDir })).rejects.toMatchObject({ code: 'locked' });
  });
});

describe('the health page', () => {
  const get = async (agent: RunningAgent, path: string) => {
    const response = await fetch(`${agent.healthUrl}${path}`);
    return { status: response.status, text: await response.text() };
  };

  it('shows health, metrics and a page for people', async () => {
    const hq = await fakeHq();
    const agent = await agentFor(hq.url);
    await agent.ready;
    expect(await get(agent, '/healthz')).toEqual({ status: 200, text: 'ok\n' });
    expect((await get(agent, '/readyz')).status).toBe(200);
    await eventually(async () => {
      expect((await get(agent, '/metrics')).text).toMatch(/^holdfast_agent_journal_sampled_samples [1-9]/m);
    });
    const page = await get(agent, '/');
    expect(page.text).toContain('<h1>edge');
    expect(page.text).toContain(hq.url);
    expect(JSON.parse((await get(agent, '/status.json')).text)).toMatchObject({ agent: 'edge' });
    expect((await get(agent, '/nothing')).status).toBe(404);
    expect((await fetch(`${agent.healthUrl}/`, { method: 'POST' })).status).toBe(405);
  });

  it('answers to names of loopback only', async () => {
    const agent = await agentFor('http://127.0.0.1:9');
    const status = await new Promise((resolve, reject) => {
      request(`${agent.healthUrl}/status.json`, { headers: { host: 'evil.example' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(421);
  });

  it('that cannot be served stops nothing', async () => {
    const hq = await fakeHq();
    const first = await agentFor(hq.url);
    const port = Number(new URL(first.healthUrl ?? '').port);
    const second = await agentFor(hq.url, { settings: { healthPort: port, id: 'other' } });
    expect(second.healthUrl).toBeNull();
    expect(linesOf(second.lines, 'health_failed')).toHaveLength(1);
    await second.ready;
  });
});
