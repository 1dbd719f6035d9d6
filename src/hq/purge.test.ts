/** Agents that are removed for good, at a whole HQ. */
import { io as connectTo } from 'socket.io-client';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { eventually } from '../../tests/support/eventually.ts';
import { temporaryFolder } from '../../tests/support/temporary.ts';
import { ledgerEntrySchema, purgedAgentSchema } from '../protocol/api.ts';
import { PROTOCOL_VERSION, SCHEMA_VERSION } from '../protocol/events.ts';
import type { RunningHq } from './main.ts';
import { dataFrame, EPOCH, schema } from './store/testing/frames.ts';
import { type Line, start } from './testing/started-hq.ts';

const T0 = 1_700_000_000_000;

const deliver = (hq: RunningHq, agent: string, at = 0) =>
  fetch(`${hq.url}/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ agent, timestamp: T0 + at, metrics: { x: at } }),
  });

async function ask(hq: RunningHq, path: string, method = 'GET') {
  const response = await fetch(`${hq.url}/api/v1/agents${path}`, { method });
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : JSON.parse(text) };
}
const purge = (hq: RunningHq, agent: string) => ask(hq, `/${agent}?purge=true`, 'DELETE');
const isDone = (hq: RunningHq, agent: string) =>
  eventually(async () => expect((await purge(hq, agent)).status).toBe(204));
const idsOf = async (hq: RunningHq) =>
  z.object({ items: z.array(z.object({ id: z.string() })) }).parse((await ask(hq, '')).body).items;

const hello = {
  protocol: PROTOCOL_VERSION,
  schema: SCHEMA_VERSION,
  agent: 'edge',
  epoch: EPOCH,
  instance: 'i1',
  version: '0',
  sampled: 40,
  released: 0,
  labels: { site: 'nord' },
  ts: Date.now(),
};

function joined(hq: RunningHq) {
  const socket = connectTo(`${hq.url}/agents`, {
    forceNew: true,
    reconnection: false,
    transports: ['websocket'],
  });
  onTestFinished(() => void socket.disconnect());
  return socket;
}

it('goes with everything, is not known meanwhile or after a restart, and may be ordered again', async () => {
  const dataDir = temporaryFolder();
  const lines: Line[] = [];
  const hq = await start({ dataDir }, lines);
  for (let at = 0; at < 50; at += 1) await deliver(hq, 'old', at);
  await deliver(hq, 'other');
  expect((await ask(hq, '/old', 'DELETE')).status, 'a retired one goes as well').toBe(200);
  const { status, body } = await purge(hq, 'old');
  expect(status).toBe(202);
  expect(purgedAgentSchema.strict().parse(body)).toMatchObject({
    id: 'old',
    sampled: 50,
    stored: 50,
    pending: 0,
  });
  for (const what of ['', '/ledger', '/samples', '/series', '/anomalies', '/labels'])
    expect(await ask(hq, `/old${what}`), what).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining('for good') },
    });
  await isDone(hq, 'old');
  expect(lines).toContainEqual({ level: 'warn', event: 'agent_purged' });
  expect(lines).toContainEqual({ level: 'info', event: 'store_agent_purged' });
  expect((await purge(hq, 'never')).status).toBe(404);
  await hq.stop();
  const again = await start({ dataDir });
  expect(await idsOf(again)).toEqual([{ id: 'other' }]);
  expect((await purge(again, 'old')).status).toBe(204);
  expect((await deliver(again, 'old', 1)).status).toBe(202);
  expect(await ask(again, '/old')).toMatchObject({ status: 200, body: { sampled: 1, stored: 1 } });
});

it('is refused while it is connected; its journal goes on where it was', async () => {
  const hq = await start();
  const socket = joined(hq);
  expect(await socket.emitWithAck('hello', hello)).toMatchObject({ ok: true });
  const { ref, ...described } = schema;
  expect(await socket.emitWithAck('schema', { ref, schema: described })).toMatchObject({ ok: true });
  const { bytes } = dataFrame(1, 30);
  expect(await socket.emitWithAck('frame', { lane: 'backlog' }, Buffer.from(bytes))).toMatchObject({
    ok: true,
  });
  expect(await purge(hq, 'edge')).toMatchObject({
    status: 409,
    body: { type: 'urn:holdfast:problem:agent_connected' },
  });
  socket.disconnect();
  await eventually(async () => expect((await ask(hq, '/edge')).body).toMatchObject({ connected: false }));
  expect((await purge(hq, 'edge')).body).toMatchObject({ sampled: 40, stored: 30, pending: 10 });
  await isDone(hq, 'edge');
  expect(await idsOf(hq)).toEqual([]);
  const next = joined(hq);
  const back = { ...hello, released: 30, labels: {} };
  const reply = await next.emitWithAck('hello', back);
  expect(reply).toMatchObject({ ok: true, ack: { contiguous: 30, ranges: [] } });
  expect(reply).not.toHaveProperty('lost');
  expect(await ask(hq, '/edge'), 'it is a new one').toMatchObject({
    body: { labels: {}, seriesCount: 0, alarm: null },
  });
  const { body } = await ask(hq, '/edge/ledger');
  expect(z.object({ items: z.array(ledgerEntrySchema) }).parse(body).items).toMatchObject([
    { epoch: EPOCH, sampled: 40, stored: 0, pending: 10, dropped: { purged: 30 } },
  ]);
  const frame = dataFrame(31, 40);
  expect(
    await next.emitWithAck('frame', { lane: 'backlog' }, Buffer.from(frame.bytes)),
    'it has to say its series again',
  ).toMatchObject({ ok: false, error: { code: 'unknown_schema' } });
});

it('is not taken in while the removal goes on: by link and over HTTP it is to come again', async () => {
  const hq = await start();
  for (let at = 0; at < 20; at += 1) await deliver(hq, 'edge', at);
  const socket = joined(hq);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  // Asked for at once behind the order: the removal takes longer than that.
  const ordered = purge(hq, 'edge');
  await eventually(async () => expect(await ask(hq, '/edge')).toMatchObject({ status: 404 }), {
    interval: 1,
  });
  const [reply, response] = await Promise.all([socket.emitWithAck('hello', hello), deliver(hq, 'edge', 100)]);
  expect((await ordered).status).toBe(202);
  if ((reply as { ok: boolean }).ok === false) {
    expect(reply).toMatchObject({ error: { code: 'unavailable', retryAfterMs: 5000 } });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('5');
  }
  await eventually(async () => expect((await deliver(hq, 'edge', 100)).status).toBe(202));
  await eventually(async () => expect(await socket.emitWithAck('hello', hello)).toMatchObject({ ok: true }));
});
