/**
 * Whom HQ waits for, over real sockets and on virtual time: one who is slow but steady is served beyond each limit of
 * old (30 s for a request, 5 s for a join); silence, less than the least rate, and too many at once end a connection.
 */
import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { createSystemClock } from '../../platform/clock.ts';
import { startTestGateway } from './testing/listening.ts';
import { connectSlowly, messageOf, type SlowClient, UPGRADE } from './testing/slow-client.ts';

const RECORD = JSON.stringify({ agent: 'buoy', timestamp: 1_700_000_000, metrics: { 'wave.height': 1.2 } });

async function startGateway(limits: Record<string, number> = {}) {
  const scheduler = new VirtualTimeScheduler();
  const gateway = await startTestGateway({
    clock: { ...createSystemClock(), precise: () => scheduler.frame, scheduler },
    settings: { limits },
  });
  onTestFinished(gateway.stop);
  const sockets = new Set<{ readonly bytesRead: number }>();
  gateway.app.server.on('connection', (socket) => sockets.add(socket));
  const metric = async (name: string) =>
    (await gateway.registry.metrics()).split('\n').filter((line) => line.startsWith(name));
  return {
    ...gateway,
    metric,
    /** Bytes that all connections have received. */
    received: () => [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0),
    pass: (seconds: number) => {
      const until = scheduler.frame + seconds * 1_000;
      scheduler.maxFrames = until;
      scheduler.flush();
      scheduler.frame = until;
    },
  };
}
type Gateway = Awaited<ReturnType<typeof startGateway>>;

/** Sends `data` and waits until it is at HQ, then lets a second pass. */
async function drip(gateway: Gateway, client: SlowClient, data: string) {
  const before = gateway.received();
  client.send(data);
  await eventually(() => expect(gateway.received()).toBeGreaterThanOrEqual(before + data.length));
  gateway.pass(1);
}

const post = (body: string) =>
  `POST /telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

async function dripAll(gateway: Gateway, client: SlowClient, text: string, bytes: number) {
  for (let at = 0; at < text.length; at += bytes) await drip(gateway, client, text.slice(at, at + bytes));
}

const closed = (client: SlowClient) => eventually(() => expect(client.isClosed()).toBe(true));
const answered = (client: SlowClient, status: number) =>
  eventually(() => expect(client.received()).toContain(`HTTP/1.1 ${status} `));

describe('a request', () => {
  it('that takes minutes, head and body, is served; so is the next one on the connection', async () => {
    const gateway = await startGateway();
    const client = connectSlowly(gateway.port);
    const body = `[${Array.from({ length: 20 }, () => RECORD).join(',')}]`;
    expect(post(body).length / 10).toBeGreaterThan(120);
    await dripAll(gateway, client, post(body), 10);
    await answered(client, 202);
    gateway.pass(60);
    await dripAll(gateway, client, post(`[${RECORD}]`), 5);
    await eventually(() => expect(client.received().split('HTTP/1.1 202 ')).toHaveLength(3));
    expect(await gateway.metric('holdfast_hq_half_open_cut_total')).toEqual([]);
    expect(await gateway.metric('holdfast_hq_half_open{kind="request"}')).toEqual([
      'holdfast_hq_half_open{kind="request"} 0',
    ]);
  });

  it.each([
    ['that never begins', ''],
    ['whose head ends in the middle', `POST /telemetry HTTP/1.1\r\nX-Long: ${'x'.repeat(300)}`],
    ['whose body ends in the middle', post(RECORD).slice(0, -10)],
  ])('%s is closed after 30 s of silence', async (_what, begun) => {
    const gateway = await startGateway();
    const client = connectSlowly(gateway.port);
    await eventually(async () =>
      expect(await gateway.metric('holdfast_hq_half_open{')).toEqual([
        'holdfast_hq_half_open{kind="request"} 1',
      ]),
    );
    await drip(gateway, client, begun);
    gateway.pass(29);
    expect(client.isClosed()).toBe(false);
    gateway.pass(3);
    await closed(client);
    expect(client.received()).toContain('HTTP/1.1 408 ');
    expect(await gateway.metric('holdfast_hq_half_open_cut_total{')).toEqual([
      'holdfast_hq_half_open_cut_total{kind="request",reason="silent"} 1',
    ]);
  });

  it('that begins on a connection that has served others is watched too', async () => {
    const gateway = await startGateway();
    const client = connectSlowly(gateway.port);
    client.send('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await answered(client, 200);
    // Silence between two requests is nobody's fault.
    gateway.pass(45);
    expect(client.isClosed()).toBe(false);
    await drip(gateway, client, 'POST /tele');
    gateway.pass(33);
    await closed(client);
  });

  it('that comes slower than the least rate is closed', async () => {
    const gateway = await startGateway();
    const client = connectSlowly(gateway.port);
    for (let second = 0; second < 31; second += 1) await drip(gateway, client, 'POST /'[second] ?? 'x');
    await closed(client);
    expect(await gateway.metric('holdfast_hq_half_open_cut_total{')).toEqual([
      'holdfast_hq_half_open_cut_total{kind="request",reason="too slow"} 1',
    ]);
  });

  it('makes room when there are too many and it is the slowest', async () => {
    const gateway = await startGateway({ maxPendingRequests: 16 });
    const steady = connectSlowly(gateway.port);
    await drip(gateway, steady, post(RECORD.repeat(100)).slice(0, 2_000));
    const silent: SlowClient[] = [];
    for (let clients = 0; clients < 40; clients += 1) {
      const client = connectSlowly(gateway.port);
      silent.push(client);
      await drip(gateway, steady, 'x'.repeat(100));
      await drip(gateway, client, 'POST');
    }
    // Of one address half of them may be open.
    await eventually(() => expect(silent.filter((client) => client.isClosed())).toHaveLength(33));
    expect(steady.isClosed()).toBe(false);
  });
});

it('bodies that are too much together cost the slowest, also while none of them ends', async () => {
  const MIB = 2 ** 20;
  const gateway = await startGateway({ bodyBytesAtOnce: 8 * MIB });
  const head = `POST /telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${4 * MIB}\r\n\r\n`;
  const clients = Array.from({ length: 24 }, () => connectSlowly(gateway.port));
  for (const client of clients) {
    client.send(head);
    client.send('['.padEnd(MIB));
  }
  await eventually(() =>
    expect(clients.filter((client) => client.isClosed()).length).toBeGreaterThanOrEqual(16),
  );
  expect(clients.filter((client) => !client.isClosed()).length).toBeGreaterThan(0);
  const [cut = ''] = await gateway.metric('holdfast_hq_half_open_cut_total{');
  expect(cut).toContain('kind="request",reason="too much"');
  // What is answered makes room again.
  for (const client of clients) client.tcp.destroy();
  const late = connectSlowly(gateway.port);
  await drip(gateway, late, post(`[${RECORD}]`));
  await answered(late, 202);
});

describe('a join', () => {
  async function upgraded(gateway: Gateway): Promise<SlowClient> {
    const client = connectSlowly(gateway.port);
    client.send(UPGRADE);
    await eventually(() => expect(client.received()).toContain('pingInterval'));
    return client;
  }
  const join = messageOf(`40/dashboard,${JSON.stringify({ token: 'x'.repeat(60) })}`).toString('latin1');

  it('that takes longer than 5 s is served', async () => {
    const gateway = await startGateway();
    const client = await upgraded(gateway);
    await dripAll(gateway, client, join, 5);
    await eventually(() => expect(client.received()).toContain('40/dashboard,'));
    gateway.pass(30);
    expect(client.isClosed()).toBe(false);
  });

  it.each([
    ['never comes', 'silent', 0],
    ['comes too slowly', 'too slow', 1],
  ])('that %s ends the connection', async (_what, reason, bytes) => {
    const gateway = await startGateway();
    const client = await upgraded(gateway);
    for (let second = 0; second < 6; second += 1)
      await drip(gateway, client, join.slice(second * bytes, (second + 1) * bytes));
    gateway.pass(1);
    await closed(client);
    expect(await gateway.metric('holdfast_hq_half_open_cut_total{')).toEqual([
      `holdfast_hq_half_open_cut_total{kind="join",reason="${reason}"} 1`,
    ]);
  });

  it('that is larger than any join ends the connection before it is here whole', async () => {
    const gateway = await startGateway();
    const client = await upgraded(gateway);
    // The head of a message of 200 KB, and half of it.
    const head = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 3, 0x0d, 0x40, 0, 0, 0, 0]);
    await drip(gateway, client, head.toString('latin1') + 'x'.repeat(100_000));
    gateway.pass(2);
    await closed(client);
    expect(await gateway.metric('holdfast_hq_half_open_cut_total{')).toEqual([
      'holdfast_hq_half_open_cut_total{kind="join",reason="too much"} 1',
    ]);
  });
});
