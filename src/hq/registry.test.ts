/** The registry of agents, full and with agents retired, at a whole HQ. */
import { connect, type Socket } from 'node:net';
import { io as connectTo } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { eventually } from '../../tests/support/eventually.ts';
import { temporaryFolder } from '../../tests/support/temporary.ts';
import { alarmSchema, fleetDeltaSchema, ledgerEntrySchema, retiredAgentSchema } from '../protocol/api.ts';
import { helloReplySchema, PROTOCOL_VERSION, SCHEMA_VERSION } from '../protocol/events.ts';
import type { RunningHq } from './main.ts';
import { type Line, start } from './testing/started-hq.ts';

const T0 = 1_700_000_000_000;

async function deliver(hq: RunningHq, agent: string, at = 0): Promise<number> {
  const { status } = await fetch(`${hq.url}/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ agent, timestamp: T0 + at, metrics: { x: at } }),
  });
  return status;
}

async function json(hq: RunningHq, path: string, method = 'GET'): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${hq.url}${path}`, { method });
  return { status: response.status, body: await response.json() };
}

async function items<T extends z.ZodType>(hq: RunningHq, path: string, item: T): Promise<z.output<T>[]> {
  return z.object({ items: z.array(item) }).parse((await json(hq, path)).body).items;
}

const idsOf = async (hq: RunningHq) =>
  (await items(hq, '/api/v1/agents', z.object({ id: z.string() }))).map(({ id }) => id);

function joined(hq: RunningHq, namespace: string) {
  const socket = connectTo(`${hq.url}${namespace}`, {
    forceNew: true,
    reconnection: false,
    transports: ['websocket'],
  });
  onTestFinished(() => void socket.disconnect());
  return socket;
}

describe('a full registry', () => {
  it('is an alarm for as long as it is full; a retired agent gives its place to another', async () => {
    const lines: Line[] = [];
    const hq = await start({ limits: { maxAgents: 2 } }, lines);
    const alarms = () => items(hq, '/api/v1/alarms', alarmSchema.strict());
    expect([await deliver(hq, 'a'), await deliver(hq, 'b')]).toEqual([202, 202]);
    expect(await alarms()).toMatchObject([{ agent: null, kind: 'registry_full' }]);
    expect(await deliver(hq, 'c')).toBe(422);
    expect((await json(hq, '/api/v1/agents/a', 'DELETE')).status).toBe(200);
    expect(await alarms()).toEqual([]);
    expect([await deliver(hq, 'c'), await deliver(hq, 'a')]).toEqual([202, 422]);
    expect(lines).toContainEqual({ level: 'warn', event: 'hq_alarm' });
    expect(lines).toContainEqual({ level: 'info', event: 'hq_alarm_over' });
    expect(await (await fetch(`${hq.url}/metrics`)).text()).toContain(
      'holdfast_hq_own_alarms{kind="registry_full"} 1',
    );
  });
});

describe('an agent that is retired', () => {
  it('is hidden, its ledger told, its samples kept, also after a restart', async () => {
    const dataDir = temporaryFolder();
    const hq = await start({ dataDir });
    for (const at of [0, 1_000]) await deliver(hq, 'old', at);
    await deliver(hq, 'other');
    const shown = joined(hq, '/dashboard');
    const removed = new Promise((resolve) => {
      shown.on('delta', (delta) => {
        const { removed: gone = [], totals } = fleetDeltaSchema.parse(delta);
        if (gone.length > 0) resolve([gone, totals.agents, totals.stored]);
      });
    });
    await new Promise((resolve) => shown.once('snapshot', resolve));
    const { body } = await json(hq, '/api/v1/agents/old', 'DELETE');
    expect(retiredAgentSchema.strict().parse(body)).toMatchObject({
      id: 'old',
      sampled: 2,
      stored: 2,
      pending: 0,
    });
    expect(await removed).toEqual([['old'], 1, 1]);
    await hq.stop();
    const again = await start({ dataDir });
    for (const one of [again]) {
      expect(await idsOf(one)).toEqual(['other']);
      expect(await json(one, '/api/v1/agents/old')).toMatchObject({
        status: 404,
        body: { detail: expect.stringContaining('is retired since') },
      });
      expect(await json(one, '/api/v1/agents/old', 'DELETE')).toMatchObject({ status: 404 });
      const [entry] = await items(one, '/api/v1/agents/old/ledger', ledgerEntrySchema);
      expect(entry).toMatchObject({ sampled: 2, stored: 2 });
      const samples = await items(one, `/api/v1/agents/old/samples?from=0`, z.object({ seq: z.number() }));
      expect(samples.map(({ seq }) => seq)).toEqual([1, 2]);
    }
    expect(await deliver(again, 'old', 2_000)).toBe(202);
    expect(await idsOf(again)).toEqual(['old', 'other']);
    const [entry] = await items(again, '/api/v1/agents/old/ledger', ledgerEntrySchema);
    expect(entry, 'the same epoch goes on').toMatchObject({ sampled: 3, stored: 3 });
  });

  it('comes back with its hello, and cannot be retired while it is connected', async () => {
    const hq = await start();
    const socket = joined(hq, '/agents');
    const hello = {
      protocol: PROTOCOL_VERSION,
      schema: SCHEMA_VERSION,
      agent: 'edge',
      epoch: '0102030405ff',
      instance: 'i1',
      version: '0',
      sampled: 7,
      released: 0,
      ts: Date.now(),
    };
    expect(helloReplySchema.parse(await socket.emitWithAck('hello', hello))).toMatchObject({ ok: true });
    expect(await json(hq, '/api/v1/agents/edge', 'DELETE')).toMatchObject({
      status: 409,
      body: { type: 'urn:holdfast:problem:agent_connected' },
    });
    socket.disconnect();
    await eventually(async () =>
      expect((await json(hq, '/api/v1/agents/edge')).body).toMatchObject({ connected: false }),
    );
    expect((await json(hq, '/api/v1/agents/edge', 'DELETE')).body).toMatchObject({ sampled: 7, pending: 7 });
    expect(await idsOf(hq)).toEqual([]);
    const next = joined(hq, '/agents');
    // Nothing is new in it but that it is here.
    expect(await next.emitWithAck('hello', hello)).toMatchObject({ ok: true });
    expect(await idsOf(hq)).toEqual(['edge']);
  });
});

describe('an agent that is retired while something of it comes', () => {
  const helloOf = (agent: string, at: number) => ({
    protocol: PROTOCOL_VERSION,
    schema: SCHEMA_VERSION,
    agent,
    epoch: `0102030405${String(at).padStart(2, '0')}`,
    instance: 'i1',
    version: '0',
    sampled: 7,
    released: 0,
    ts: Date.now(),
  });

  it('is connected and listed in the end, whichever was first, also after a restart', async () => {
    const dataDir = temporaryFolder();
    const hq = await start({ dataDir });
    const agents = Array.from({ length: 12 }, (_, at) => `edge-${String(at).padStart(2, '0')}`);
    for (const [at, agent] of agents.entries()) {
      const first = joined(hq, '/agents');
      await first.emitWithAck('hello', helloOf(agent, at));
      first.disconnect();
    }
    await eventually(async () =>
      expect(await items(hq, '/api/v1/agents', z.object({ connected: z.boolean() }))).not.toContainEqual({
        connected: true,
      }),
    );
    const statuses = await Promise.all(
      agents.map(async (agent, at) => {
        const socket = joined(hq, '/agents');
        await new Promise<void>((resolve) => socket.once('connect', resolve));
        const comes = () => socket.emitWithAck('hello', helloOf(agent, at));
        const goes = () => json(hq, `/api/v1/agents/${agent}`, 'DELETE');
        const [reply, { status }] = await (at % 2 === 0
          ? Promise.all([comes(), goes()])
          : Promise.all([goes(), comes()]).then(([gone, come]) => [come, gone] as const));
        expect(reply).toMatchObject({ ok: true });
        return status;
      }),
    );
    for (const status of statuses) expect([200, 409]).toContain(status);
    expect(await items(hq, '/api/v1/agents', z.object({ id: z.string(), connected: z.boolean() }))).toEqual(
      agents.map((id) => ({ id, connected: true })),
    );
    await hq.stop();
    expect(await idsOf(await start({ dataDir }))).toEqual(agents);
  });

  it('is either listed with its samples or retired with them, the same after a restart', async () => {
    const dataDir = temporaryFolder();
    const hq = await start({ dataDir });
    const agents = Array.from({ length: 12 }, (_, at) => `web-${String(at).padStart(2, '0')}`);
    for (const agent of agents) await deliver(hq, agent);
    const outcomes = await Promise.all(
      agents.flatMap((agent) => [
        deliver(hq, agent, 1_000),
        json(hq, `/api/v1/agents/${agent}`, 'DELETE').then(({ status }) => status),
      ]),
    );
    for (const status of outcomes) expect([200, 202, 409]).toContain(status);
    const listed = await idsOf(hq);
    expect(await (await fetch(`${hq.url}/metrics`)).text()).toContain(
      `holdfast_hq_known_agents ${listed.length}\n`,
    );
    await hq.stop();
    const again = await start({ dataDir });
    expect(await idsOf(again)).toEqual(listed);
    for (const agent of agents) {
      const [entry] = await items(again, `/api/v1/agents/${agent}/ledger`, ledgerEntrySchema);
      expect(entry).toMatchObject({ sampled: 2, stored: 2 });
    }
  });
});

describe('connections', () => {
  const open = (hq: RunningHq, localAddress = '127.0.0.1'): Promise<{ socket: Socket; kept: boolean }> =>
    new Promise((resolve) => {
      const socket = connect({ port: hq.port, host: '127.0.0.1', localAddress }, () =>
        socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'),
      );
      socket.on('error', () => {});
      socket.once('data', () => resolve({ socket, kept: true }));
      socket.once('close', () => resolve({ socket, kept: false }));
      onTestFinished(() => void socket.destroy());
    });

  it.each([
    ['of one address', { maxConnectionsPerAddress: 16 }, 'connections_of_address', 'address'],
    ['in all', { maxConnections: 16, maxConnectionsPerAddress: 16 }, 'connections_full', 'all'],
  ] as const)('are bounded %s; beyond it is an alarm', async (_what, limits, kind, reason) => {
    const lines: Line[] = [];
    const hq = await start({ limits }, lines);
    const kept: Socket[] = [];
    for (let n = 0; n < 16; n += 1) {
      const one = await open(hq);
      expect(one.kept).toBe(true);
      kept.push(one.socket);
    }
    expect((await open(hq)).kept).toBe(false);
    expect(lines).toContainEqual({ level: 'warn', event: 'connection_refused' });
    // Who is gone leaves room.
    kept[0]?.destroy();
    kept[1]?.destroy();
    await eventually(async () =>
      expect(await items(hq, '/api/v1/alarms', alarmSchema)).toMatchObject([{ agent: null, kind }]),
    );
    expect(await (await fetch(`${hq.url}/metrics`)).text()).toContain(
      `holdfast_hq_refused_connections_total{reason="${reason}"}`,
    );
  });

  it('of one address leave half of all to others, which is logged and a metric', async () => {
    const lines: Line[] = [];
    const hq = await start({ limits: { maxConnections: 32 } }, lines);
    expect(lines).toContainEqual({ level: 'info', event: 'connection_limits' });
    for (let n = 0; n < 16; n += 1) expect((await open(hq)).kept).toBe(true);
    expect((await open(hq)).kept).toBe(false);
    const other = await open(hq, '127.0.0.2');
    expect(other.kept).toBe(true);
    const text = new Promise<string>((resolve) => {
      let read = '';
      other.socket.on('data', (chunk) => {
        read += chunk.toString();
        if (read.includes('holdfast_hq_max_connections_per_address 16')) resolve(read);
      });
    });
    other.socket.write('GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n');
    expect(await text).toMatch(/^holdfast_hq_max_connections 32$/m);
  });

  it('of one address below 16 would lock people out', async () => {
    await expect(start({ limits: { maxConnectionsPerAddress: 5 } })).rejects.toThrow(
      'limits.maxConnectionsPerAddress (5) must be 16 or more, or 0 for half',
    );
  });
});
