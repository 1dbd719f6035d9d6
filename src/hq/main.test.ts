import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Subscription } from 'rxjs';
import { io as connectTo } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { temporaryFolder } from '../../tests/support/temporary.ts';
import { until } from '../../tests/support/wait.ts';
import { type Clock, createSystemClock } from '../platform/clock.ts';
import { systemIds } from '../platform/ids.ts';
import { seededRandom } from '../platform/random.ts';
import {
  agentSummarySchema,
  fleetDeltaSchema,
  fleetSnapshotSchema,
  ledgerEntrySchema,
  sampleDocumentSchema,
} from '../protocol/api.ts';
import { helloReplySchema, PROTOCOL_VERSION, SCHEMA_VERSION } from '../protocol/events.ts';
import { hqConfigSchema } from './config.ts';
import { type RunningHq, startHq } from './main.ts';
import { type Line, recorder, start } from './testing/started-hq.ts';

/** A clock on which whatever waits for its deadline waits for ever: no timer of ten seconds or more ends. */
function withoutDeadlines(clock: Clock): Clock {
  const patient = new Proxy(clock.scheduler.schedule, {
    apply: (schedule, _, [work, delayMs = 0, state]) =>
      delayMs < 10_000 ? schedule.call(clock.scheduler, work, delayMs, state) : new Subscription(),
  });
  return { ...clock, scheduler: { now: () => clock.scheduler.now(), schedule: patient } };
}

async function send(hq: RunningHq, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${hq.url}/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, json: await response.json() };
}

async function items<T extends z.ZodType>(hq: RunningHq, path: string, item: T): Promise<z.output<T>[]> {
  const response = await fetch(`${hq.url}${path}`);
  expect(response.status).toBe(200);
  return z.object({ items: z.array(item) }).parse(await response.json()).items;
}

const T0 = 1_700_000_000_000;
const record = (at: number, agent = 'edge-1') => ({
  agent,
  timestamp: T0 + at,
  metrics: { x: at, y: { value: 0.5, unit: 'By' } },
});
const SAMPLES = `/api/v1/agents/edge-1/samples?from=0&limit=10000`;

describe('HQ', () => {
  it('says at the start that its storage is gone, and that only once', async () => {
    const dataDir = temporaryFolder();
    await (await start({ dataDir })).stop();
    rmSync(join(dataDir, 'data.mdb'));
    const [lost, again]: [Line[], Line[]] = [[], []];
    await (await start({ dataDir }, lost)).stop();
    expect(lost).toContainEqual({ level: 'error', event: 'storage_missing' });
    await (await start({ dataDir }, again)).stop();
    expect(again).not.toContainEqual({ level: 'error', event: 'storage_missing' });
  });

  it('shows over its API what was delivered over HTTP', async () => {
    const hq = await start();
    expect(await send(hq, [record(0), record(1000), record(0, 'edge-2')])).toEqual({
      status: 202,
      json: { accepted: 3, duplicate: false },
    });
    const samples = await items(hq, SAMPLES, sampleDocumentSchema.strict());
    expect(samples.map(({ ts, values }) => [ts - T0, values])).toEqual([
      [0, { x: 0, y: 0.5 }],
      [1000, { x: 1000, y: 0.5 }],
    ]);
    const agents = await items(hq, '/api/v1/agents', agentSummarySchema.strict());
    expect(agents.map(({ id, stored, connected }) => [id, stored, connected])).toEqual([
      ['edge-1', 2, false],
      ['edge-2', 1, false],
    ]);
    const [entry] = await items(hq, '/api/v1/agents/edge-1/ledger', ledgerEntrySchema.strict());
    expect(entry).toMatchObject({ sampled: 2, stored: 2, pending: 0, contiguous: 2 });
    const buckets = z
      .object({
        items: z.array(z.object({ count: z.number(), mean: z.number().nullable() })),
        unit: z.string(),
      })
      .parse(
        await (
          await fetch(`${hq.url}/api/v1/agents/edge-1/series/x?from=${T0}&to=${T0 + 3000}&step=1s`)
        ).json(),
      );
    expect(buckets.items.map(({ count, mean }) => [count, mean])).toEqual([
      [1, 0],
      [1, 1000],
      [0, null],
    ]);
  });

  it('takes as much in one request as it allows, and gives it back whole', async () => {
    const hq = await start();
    const many = Array.from({ length: 9000 }, (_, index) => record(index));
    expect((await send(hq, many)).json).toEqual({ accepted: 9000, duplicate: false });
    const samples = await items(hq, SAMPLES, sampleDocumentSchema);
    expect(samples).toHaveLength(9000);
    expect(samples.every(({ ts, values }) => values.x === ts - T0)).toBe(true);
  });

  it('keeps what it answered with 202, and knows a repetition, after a restart', async () => {
    const dataDir = temporaryFolder();
    const first = await start({ dataDir });
    await send(first, record(0));
    await send(first, record(1), { 'idempotency-key': 'one' });
    await first.stop();
    const second = await start({ dataDir });
    expect((await items(second, SAMPLES, sampleDocumentSchema)).map(({ ts }) => ts - T0)).toEqual([0, 1]);
    expect((await send(second, record(0))).json).toEqual({ accepted: 0, duplicate: true });
    expect((await send(second, record(1), { 'idempotency-key': 'one' })).json).toEqual({
      accepted: 0,
      duplicate: true,
    });
    expect((await send(second, record(2), { 'idempotency-key': 'one' })).json).toMatchObject({
      status: 422,
      type: 'urn:holdfast:problem:idempotency_key_reused',
    });
    expect((await send(second, record(2))).json).toEqual({ accepted: 1, duplicate: false });
    expect((await items(second, SAMPLES, sampleDocumentSchema)).map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  it('shows a delivery on the dashboard', async () => {
    const hq = await start();
    await send(hq, record(0));
    const socket = connectTo(`${hq.url}/dashboard`, { forceNew: true, transports: ['websocket'] });
    onTestFinished(() => void socket.disconnect());
    const snapshot = fleetSnapshotSchema.parse(
      await new Promise((resolve) => socket.once('snapshot', resolve)),
    );
    expect(snapshot.agents.map(({ id, stored }) => [id, stored])).toEqual([['edge-1', 1]]);
    let stored = 0;
    socket.on('delta', (delta) => {
      for (const agent of fleetDeltaSchema.parse(delta).agents) stored = agent.stored;
    });
    await send(hq, record(1));
    await until('the dashboard to show it', () => stored === 2);
  });
});

describe('access to HQ', () => {
  const hello = {
    protocol: PROTOCOL_VERSION,
    schema: SCHEMA_VERSION,
    agent: 'edge-9',
    epoch: '0123456789ab',
    instance: 'i',
    version: '0.0.0',
    sampled: 0,
    released: 0,
    ts: T0,
  };
  const join = async (hq: RunningHq, namespace: string, auth: object) => {
    const socket = connectTo(`${hq.url}${namespace}`, { forceNew: true, reconnection: false, auth });
    onTestFinished(() => void socket.disconnect());
    const refusal = await new Promise<unknown>((resolve) => {
      socket.once('connect', () => resolve(null));
      socket.once('connect_error', (error: Error & { data?: unknown }) => resolve(error.data));
    });
    return { socket, refusal };
  };

  it('asks agents for the agent token and people for the operator token, everywhere', async () => {
    const hq = await start({ agentToken: 'for-agents', operatorToken: 'for-people' });
    for (const token of [undefined, 'wrong', 'for-people']) {
      expect((await join(hq, '/agents', { token })).refusal).toMatchObject({ code: 'unauthorized' });
      const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
      expect((await send(hq, record(0), headers)).status).toBe(401);
    }
    expect((await join(hq, '/dashboard', { token: 'for-agents' })).refusal).toMatchObject({
      code: 'unauthorized',
    });
    expect((await fetch(`${hq.url}/api/v1/agents`)).status).toBe(401);

    const { socket, refusal } = await join(hq, '/agents', { token: 'for-agents' });
    expect(refusal).toBeNull();
    const reply = helloReplySchema.parse(await socket.timeout(5000).emitWithAck('hello', hello));
    const { hq: identity } = z
      .object({ hq: z.string() })
      .parse(await (await fetch(`${hq.url}/healthz`)).json());
    expect(reply).toMatchObject({ ok: true, hq: identity });
    expect((await send(hq, record(0), { authorization: 'Bearer for-agents' })).status).toBe(202);
    const people = { headers: { authorization: 'Bearer for-people' } };
    const summary = await (await fetch(`${hq.url}/api/v1/agents/edge-9`, people)).json();
    expect(agentSummarySchema.parse(summary)).toMatchObject({ connected: true, epoch: hello.epoch });
  });
});

describe('starting HQ', () => {
  const platform = () => ({
    clock: createSystemClock(),
    ids: systemIds,
    random: seededRandom(1),
    logger: recorder([]),
  });

  it('beyond loopback without tokens is refused before anything is opened', async () => {
    const config = hqConfigSchema.parse({ host: '0.0.0.0', port: 0, dataDir: '/nonexistent/holdfast' });
    await expect(startHq(config, platform())).rejects.toThrow(/HOLDFAST_AGENT_TOKEN.*--allow-anonymous/);
  });

  it('on a port that is taken says so, and leaves the data directory free', async () => {
    const hq = await start();
    const dataDir = temporaryFolder();
    const config = hqConfigSchema.parse({ port: hq.port, dataDir });
    await expect(startHq(config, platform())).rejects.toThrow(/port \d+ of 127\.0\.0\.1 is in use.*--port/);
    const other = await start({ dataDir });
    expect(other.port).not.toBe(hq.port);
  });

  it('on an address that this machine does not have says so', async () => {
    const config = hqConfigSchema.parse({
      host: '192.0.2.1',
      port: 0,
      dataDir: temporaryFolder(),
      allowAnonymous: true,
    });
    await expect(startHq(config, platform())).rejects.toThrow(
      /192\.0\.2\.1 is not an address of this machine.*--host/,
    );
  });

  it('on a data directory that another HQ uses says so', async () => {
    const dataDir = temporaryFolder();
    await start({ dataDir });
    const config = hqConfigSchema.parse({ port: 0, dataDir });
    await expect(startHq(config, platform())).rejects.toMatchObject({ code: 'locked' });
  });

  it('warns of published demo tokens and of listening to everybody', async () => {
    const lines: Line[] = [];
    await start({ agentToken: 'holdfast-demo-agent', operatorToken: 'holdfast-demo-operator' }, lines);
    expect(lines.filter(({ event }) => event === 'demo_token')).toEqual(
      Array(2).fill({ level: 'warn', event: 'demo_token' }),
    );
    const others: Line[] = [];
    await start({ host: '0.0.0.0', allowAnonymous: true }, others);
    expect(others).toContainEqual({ level: 'warn', event: 'anonymous' });
    const quiet: Line[] = [];
    await start({}, quiet);
    expect(quiet.filter(({ level }) => level === 'warn')).toEqual([]);
  });
});

describe('stopping HQ', () => {
  it('is done once nothing is open any more, however often it is asked for', async () => {
    const hq = await start();
    const socket = connectTo(`${hq.url}/dashboard`, {
      forceNew: true,
      reconnection: false,
      transports: ['websocket'],
    });
    await new Promise((resolve) => socket.once('snapshot', resolve));
    const idle = connect(hq.port, '127.0.0.1');
    let idleClosed = false;
    idle
      .on('error', () => {})
      .on('close', () => {
        idleClosed = true;
      });
    await until('the idle connection', () => idle.readyState === 'open');
    await Promise.all([hq.stop(), hq.stop()]);
    await until('every connection to be closed', () => idleClosed && !socket.connected);
    await expect(fetch(`${hq.url}/healthz`)).rejects.toThrow();
  });

  it('does not wait for a client that has gone in the middle of its request', async () => {
    const hq = await start({}, [], withoutDeadlines(createSystemClock()));
    const tcp = connect(hq.port, '127.0.0.1');
    tcp.on('error', () => {});
    const head =
      'POST /telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n';
    await new Promise<void>((sent) => tcp.write(`${head}\r\n{`, () => sent()));
    tcp.resetAndDestroy();
    await until('HQ to have seen it go', async () => (await fetch(`${hq.url}/healthz`)).ok);
    await hq.stop();
  });

  it('answers the deliveries that are under way', async () => {
    const dataDir = temporaryFolder();
    const hq = await start({ dataDir });
    const deliveries = Array.from({ length: 20 }, (_, index) =>
      send(hq, record(index)).then(
        ({ status }) => (status === 202 ? index : null),
        () => null,
      ),
    );
    await until('the first to be stored', async () => (await fetch(`${hq.url}/api/v1/agents/edge-1`)).ok);
    await hq.stop();
    const answered = (await Promise.all(deliveries)).filter((index) => index !== null);
    const again = await start({ dataDir });
    const stored = new Set((await items(again, SAMPLES, sampleDocumentSchema)).map(({ ts }) => ts - T0));
    for (const index of answered) expect(stored).toContain(index);
  });
});

describe('metrics of HQ', () => {
  const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
  it.skipIf(!hasPromtool)(hasPromtool ? 'please promtool' : 'skipped: needs promtool', async () => {
    const hq = await start({ chaos: 'off', chaosEnabled: true });
    await send(hq, record(0));
    const text = await (await fetch(`${hq.url}/metrics`)).text();
    expect(text).toContain('holdfast_build_info{version=');
    expect(() =>
      execFileSync('promtool', ['check', 'metrics'], { input: text, stdio: 'pipe' }),
    ).not.toThrow();
  });
});
