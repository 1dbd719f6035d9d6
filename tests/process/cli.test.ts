/**
 * Life of `holdfast agent` and `holdfast hq` as processes: start, refusal to start, stop, and looking into their
 * directories.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { agentStatus, impatient, journalStats, startAgentProcess } from '../support/agent.ts';
import { built, type Running, run, runToEnd } from '../support/holdfast.ts';
import { allSamples, ledgerOf, startHqProcess } from '../support/hq.ts';
import { expectWithin } from '../support/long.ts';
import { startProxy } from '../support/proxy.ts';
import { writeRecording } from '../support/recording.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

/** Where nothing listens. */
const NOWHERE = 'http://127.0.0.1:9';
const sources = ['sim:hz=50,sensors=2,seed=1'];
const SOON_MS = 8_000;

const logLine = z.looseObject({ level: z.number(), time: z.number(), msg: z.string(), event: z.string() });
const events = (running: Running) => running.stderr.map((line) => logLine.parse(JSON.parse(line)).event);

function startAgent(dataDir: string, hq: string, args: readonly string[] = []): Running {
  return startAgentProcess({ id: 'edge', hq, dataDir, sources, args: [...impatient, ...args], ...built });
}

/** Milliseconds until `running` ends after `signal`. */
async function timeToEnd(running: Running, signal: NodeJS.Signals) {
  const asked = performance.now();
  const code = await running.end(signal);
  return { code, tookMs: performance.now() - asked };
}

const samplingOf = (agent: Running) => async () => {
  const status = await agentStatus(agent);
  return (status?.journal?.sampled ?? 0) > 20 && status;
};

async function expectAllAtHq(url: string, dataDir: string): Promise<void> {
  const { epoch, sampled } = await journalStats(dataDir, built);
  const entry = await until('HQ to have everything', async () => {
    const [one] = await ledgerOf(url, 'edge');
    return one?.stored === sampled && one;
  });
  expect(entry).toMatchObject({
    epoch,
    sampled,
    contiguous: sampled,
    pending: 0,
    thinned: {},
    dropped: {},
    gaps: [],
  });
}

describe('HQ', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'says where it listens in one line of JSON, logs JSON on standard error, and ends in order on %s',
    async (signal) => {
      const dataDir = join(temporaryFolder(), 'hq');
      const hq = await startHqProcess(dataDir, built);
      expect(JSON.parse(hq.stdout[0] ?? '')).toEqual({ event: 'listening', url: hq.url });
      expect((await fetch(`${hq.url}/healthz`)).status).toBe(200);
      const { code, tookMs } = await timeToEnd(hq, signal);
      expect(code).toBe(0);
      expectWithin(tookMs, SOON_MS);
      expect(hq.stdout).toHaveLength(1);
      expect(events(hq)).toEqual(expect.arrayContaining(['hq_listening', 'hq_stopping']));
      expect(existsSync(join(dataDir, 'in-use.json'))).toBe(false);
    },
  );

  it('cannot share its port or its directory, says so, and leaves what was there alone', async () => {
    const folder = temporaryFolder();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const hq = (args: readonly string[]) => runToEnd(['hq', ...args], built);

    const taken = await hq(['--port', String(port), '--data-dir', join(folder, 'a')]);
    expect(taken.code).toBe(1);
    expect(taken.stdout).toBe('');
    expect(taken.stderr).toContain(`port ${port} of 127.0.0.1 is in use`);
    expect(existsSync(join(folder, 'a/in-use.json')), 'closed again').toBe(false);

    const first = await startHqProcess(join(folder, 'b'), built);
    const second = await hq(['--port', '0', '--data-dir', join(folder, 'b')]);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('is in use by another process');
    expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
    expect(await first.end('SIGTERM')).toBe(0);
  });

  it('listens beyond loopback with both tokens', async () => {
    const args = ['--host', '0.0.0.0', '--agent-token', 'of-agents', '--operator-token', 'of-operators'];
    const hq = await startHqProcess(join(temporaryFolder(), 'hq'), { args, ...built });
    expect((await fetch(`${hq.url}/api/v1/agents`)).status).toBe(401);
    expect(await hq.end('SIGTERM')).toBe(0);
  });
});

describe('an agent', () => {
  it('samples without HQ, keeps everything over an ordered stop, and delivers it later', async () => {
    const folder = temporaryFolder();
    const dataDir = join(folder, 'edge');
    const alone = startAgent(dataDir, NOWHERE);
    await until(
      'it to sample, offline',
      async () => (await samplingOf(alone)()) && (await agentStatus(alone))?.state === 'offline',
    );
    const { code, tookMs } = await timeToEnd(alone, 'SIGINT');
    expect(code).toBe(0);
    expectWithin(tookMs, SOON_MS);
    expect(events(alone)).toEqual(expect.arrayContaining(['link_down', 'agent_stopped']));
    expect(existsSync(join(dataDir, 'in-use.json'))).toBe(false);
    const kept = await journalStats(dataDir, built);
    expect(kept).toMatchObject({ pending: kept.sampled, running: false });

    const hq = await startHqProcess(join(folder, 'hq'), built);
    const later = startAgent(dataDir, hq.url);
    await until(
      'more than was kept',
      async () => ((await ledgerOf(hq.url, 'edge'))[0]?.contiguous ?? 0) > kept.sampled,
    );
    expect(await later.end('SIGTERM')).toBe(0);
    await expectAllAtHq(hq.url, dataDir);
    expect(
      (await journalStats(dataDir, built)).pending,
      'all that was live was confirmed before it ended',
    ).toBe(0);
    const nothing = await runToEnd(['journal', 'peek', dataDir], built);
    expect([nothing.code, nothing.stdout]).toEqual([0, '']);
    expect(nothing.stderr).toMatch(/nothing is pending in .*: HQ has confirmed .* all \d+ samples$/);
  });

  it('refuses a directory that another agent uses, which goes on', async () => {
    const dataDir = join(temporaryFolder(), 'edge');
    const first = startAgent(dataDir, NOWHERE);
    await until('it to sample', samplingOf(first));
    const second = startAgent(dataDir, NOWHERE);
    expect(await second.ended).toBe(1);
    expect(second.stderr.at(-1)).toContain(`The data directory ${dataDir} is in use by another process`);
    expect(await until('the first to go on', samplingOf(first))).toBeTruthy();
    expect(await first.end('SIGTERM')).toBe(0);
  });

  it('leaves at once on a second signal, with nothing lost', async () => {
    const folder = temporaryFolder();
    const dataDir = join(folder, 'edge');
    const hq = await startHqProcess(join(folder, 'hq'), built);
    const proxy = await startProxy(() => Number(new URL(hq.url).port));
    // A patient agent would wait for HQ's confirmation of the last samples.
    const patient = ['--uplink-ack-timeout-ms', '50s', '--uplink-breaker-open-ms', '60s'];
    const agent = startAgent(dataDir, proxy.url, patient);
    await until('it to be live', async () => (await agentStatus(agent))?.state === 'live');
    proxy.set({ kind: 'half-open' });
    agent.process.kill('SIGTERM');
    await until(
      'it to begin to stop',
      () =>
        events(agent).includes('state_changed') && agent.stderr.some((line) => line.includes('"stopping"')),
    );
    const { code, tookMs } = await timeToEnd(agent, 'SIGTERM');
    expect(code).toBe(130);
    expectWithin(tookMs, 2_000);
    expect(events(agent)).not.toContain('agent_stopped');

    proxy.set({ kind: 'pass' });
    const next = startAgent(dataDir, proxy.url);
    await until('it to be live', async () => (await agentStatus(next))?.state === 'live');
    expect(await next.end('SIGTERM')).toBe(0);
    await expectAllAtHq(hq.url, dataDir);
    const seqs = (await allSamples(hq.url, 'edge')).map(({ seq }) => seq);
    expect(new Set(seqs).size).toBe(seqs.length);
  });

  it('ends on a signal during start-up, and starts as ever after it', async () => {
    const folder = temporaryFolder();
    const rounds = ['agent', 'hq'].flatMap((component) => [
      { component, mark: '' },
      { component, mark: 'in-use.json' },
      { component, mark: 'data.mdb' },
    ]);
    for (const { component, mark } of rounds) {
      const dataDir = join(folder, `${component}-${mark}`);
      const place = component === 'hq' ? ['--port', '0'] : ['--hq', NOWHERE, '--id', 'edge'];
      const running = run([component, ...place, '--data-dir', dataDir], built);
      await until('it to come so far', () => existsSync(join(dataDir, mark)), { everyMs: 1 });
      const { code, tookMs } = await timeToEnd(running, 'SIGTERM');
      expect(code).toBe(0);
      expectWithin(tookMs, SOON_MS);
    }
    const agent = startAgent(join(folder, 'agent-in-use.json'), NOWHERE);
    await until('it to sample', samplingOf(agent));
    expect(await agent.end('SIGTERM')).toBe(0);
    const hq = await startHqProcess(join(folder, 'hq-in-use.json'), built);
    expect(await hq.end('SIGTERM')).toBe(0);
  });
});

describe('an agent and HQ', () => {
  it.each([
    ['of today', true],
    ['from before it was written whose they are', false],
  ])('each refuse the directory of the other, %s; both go on as they were', async (_, isKnown) => {
    const folder = temporaryFolder();
    const [ofAgent, ofHq] = [join(folder, 'edge'), join(folder, 'hq')];
    const hq = await startHqProcess(ofHq, built);
    const agent = startAgent(ofAgent, hq.url);
    await until('it to be live', async () => (await agentStatus(agent))?.state === 'live');
    expect(await agent.end('SIGTERM')).toBe(0);
    expect(await hq.end('SIGTERM')).toBe(0);

    if (!isKnown) {
      for (const dataDir of [ofAgent, ofHq])
        writeFileSync(join(dataDir, 'identity.json'), '{"format":1,"createdTs":0}\n');
    }
    const misled = startAgent(ofHq, NOWHERE);
    expect(await misled.ended).toBe(1);
    expect(misled.stderr.at(-1)).toBe(
      `holdfast: The data directory ${ofHq} belongs to HQ and cannot be that of an agent too. Give the agent another --data-dir.`,
    );
    const misledHq = await runToEnd(['hq', '--port', '0', '--data-dir', ofAgent], built);
    expect(misledHq.code).toBe(1);
    expect(misledHq.stdout).toBe('');
    expect(misledHq.stderr).toContain(
      `holdfast: The data directory ${ofAgent} belongs to an agent and cannot be that of HQ too. Give HQ another --data-dir.`,
    );

    const again = await startHqProcess(ofHq, built);
    await expectAllAtHq(again.url, ofAgent);
    const next = startAgent(ofAgent, again.url);
    await until('it to be live', async () => (await agentStatus(next))?.state === 'live');
    expect(await next.end('SIGTERM')).toBe(0);
    await expectAllAtHq(again.url, ofAgent);
  });
});

describe('holdfast journal', () => {
  const look = (verb: string, dir: string, ...args: string[]) =>
    runToEnd(['journal', verb, dir, ...args], built);
  const lines = (text: string) => text.split('\n').map((line): unknown => JSON.parse(line));
  const recordSchema = z.object({
    seq: z.number(),
    ts: z.number(),
    source: z.string(),
    values: z.record(z.string(), z.number()),
  });

  it("looks into an agent's directory while it is in use and after", async () => {
    const dataDir = join(temporaryFolder(), 'edge');
    const agent = startAgent(dataDir, NOWHERE);
    await until('it to sample', samplingOf(agent));
    for (const running of [true, false]) {
      if (!running) expect(await agent.end('SIGTERM')).toBe(0);
      const stats = await look('stats', dataDir);
      expect(stats.code).toBe(0);
      expect(stats.stdout).toMatch(new RegExp(`^running +${running}$`, 'm'));
      expect(stats.stdout).toMatch(/^role +agent$/m);
      expect(stats.stdout).toMatch(/^sampled +\d+$/m);
      expect(await journalStats(dataDir, built)).toMatchObject({ running });

      const verified = await look('verify', dataDir, '--json');
      expect(verified.code).toBe(0);
      expect(JSON.parse(verified.stdout)).toMatchObject({
        ok: true,
        damagedRecords: 0,
        journal: { exact: true, holes: [] },
      });
      expect((await look('verify', dataDir)).stdout).toMatch(/^ok +true$/m);

      const peeked = await look('peek', dataDir, '--count', '3');
      const newest = lines(peeked.stdout).map((line) => recordSchema.parse(line));
      const exported = await look('export', dataDir, '--json');
      const all = lines(exported.stdout).map((line) => recordSchema.parse(line));
      expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1));
      // The agent may have gone on between the two looks.
      expect(newest.map(({ seq }) => seq)).toEqual([0, 1, 2].map((n) => (newest[0]?.seq ?? 0) - n));
      for (const record of newest) expect(all).toContainEqual(record);
      expect(all.length).toBeLessThanOrEqual((await journalStats(dataDir, built)).sampled);
    }
  });

  it("looks into HQ's directory, where samples are read through the API", async () => {
    const dataDir = join(temporaryFolder(), 'hq');
    const hq = await startHqProcess(dataDir, built);
    const delivered = await fetch(`${hq.url}/telemetry`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ agent: 'edge', timestamp: '2026-01-31T12:00:00Z', metrics: { load: 1 } }),
    });
    expect(await delivered.text()).toContain('accepted');
    for (const running of [true, false]) {
      if (!running) expect(await hq.end('SIGTERM')).toBe(0);
      const stats = await look('stats', dataDir, '--json');
      expect(JSON.parse(stats.stdout)).toMatchObject({ directory: dataDir, running, role: 'hq' });
      const verified = await look('verify', dataDir, '--json');
      expect(verified.code).toBe(0);
      expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, journal: null });
      expect(z.object({ records: z.number() }).parse(JSON.parse(verified.stdout)).records).toBeGreaterThan(0);
      for (const verb of ['peek', 'export']) {
        const { code, stderr } = await look(verb, dataDir);
        expect(code).toBe(1);
        expect(stderr).toContain('belongs to HQ, whose samples are read through its API');
      }
    }
  });

  it('ends quietly when nobody reads the export to its end', async () => {
    const folder = temporaryFolder();
    const dataDir = join(folder, 'edge');
    // Far more than a pipe holds.
    const count = 20_000;
    const { path } = writeRecording(folder, { source: 'log', count, stepMs: 100, seed: 1 });
    const agent = startAgentProcess({
      id: 'edge',
      hq: NOWHERE,
      dataDir,
      sources: [`csv:path=${path},speed=max`],
      ...built,
    });
    await until(
      'the recording to be sampled',
      async () => (await agentStatus(agent))?.journal?.sampled === count,
    );
    const reading = run(['journal', 'export', dataDir], built);
    reading.process.stdout?.once('data', () => reading.process.stdout?.destroy());
    expect(await reading.ended).toBe(0);
    expect(reading.stderr).toEqual([]);
    expect(await agent.end('SIGTERM')).toBe(0);
  });
});
