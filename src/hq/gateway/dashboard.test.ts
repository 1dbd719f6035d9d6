import { connect, type Socket as TcpSocket } from 'node:net';
import { io as connectTo, type Socket } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../../tests/support/wait.ts';
import { type FleetDelta, fleetDeltaSchema, fleetSnapshotSchema } from '../../protocol/api.ts';
import { startTestGateway } from './testing/listening.ts';
import { deltaOf, summaryOf, type TestGatewayOptions } from './testing/test-gateway.ts';

async function start(options: TestGatewayOptions = {}) {
  const gateway = await startTestGateway(options);
  onTestFinished(gateway.stop);
  return gateway;
}

function open(url: string, options: Record<string, unknown> = {}): Socket {
  const socket = connectTo(url, {
    forceNew: true,
    reconnection: false,
    transports: ['websocket'],
    ...options,
  });
  onTestFinished(() => {
    socket.disconnect();
  });
  return socket;
}

/** Resolves with what the connection came to: `connected`, or the refusal's message and code. */
const outcome = (socket: Socket) =>
  new Promise<{ message: string; code: unknown }>((resolve) => {
    socket.once('connect', () => resolve({ message: 'connected', code: null }));
    socket.once('connect_error', (error: Error & { data?: { code?: unknown } }) =>
      resolve({ message: error.message, code: error.data?.code }),
    );
  });

describe('the dashboard namespace', () => {
  it('sends the whole fleet first, then what changed', async () => {
    const { url, delta$ } = await start();
    const socket = open(`${url}/dashboard`);
    const snapshots: unknown[] = [];
    const deltas: unknown[] = [];
    socket.on('snapshot', (snapshot) => snapshots.push(snapshot));
    socket.on('delta', (delta) => deltas.push(delta));
    await until('a snapshot', () => snapshots.length > 0);
    delta$.next(deltaOf(1, [summaryOf('a')]));
    await until('a delta', () => deltas.length > 0);
    expect(fleetSnapshotSchema.parse(snapshots[0]).agents).toEqual([]);
    expect(fleetDeltaSchema.parse(deltas[0]).agents.map(({ id }) => id)).toEqual(['a']);
    expect(snapshots).toHaveLength(1);
  });

  it('merges what changes faster than four times a second', async () => {
    const { url, delta$ } = await start();
    const socket = open(`${url}/dashboard`);
    const arrivals: FleetDelta[] = [];
    socket.on('delta', (delta) => arrivals.push(fleetDeltaSchema.parse(delta)));
    await outcome(socket);
    let ts = 0;
    await until(
      'four deltas',
      () => {
        ts += 1;
        delta$.next(deltaOf(ts, [{ ...summaryOf('a'), stored: ts }]));
        return arrivals.length >= 4;
      },
      { everyMs: 5 },
    );
    const points = arrivals.flatMap(({ ingest }) => ingest.map(({ t }) => t));
    expect(points.length).toBeGreaterThan(arrivals.length);
    expect(points).toEqual(points.map((_, index) => (points[0] ?? 0) + index));
    for (const { agents, ts: at } of arrivals) expect(agents.map(({ stored }) => stored)).toEqual([at]);
  });

  it('serves a browser that starts with polling', async () => {
    const { url } = await start();
    const socket = open(`${url}/dashboard`, { transports: ['polling'] });
    const snapshot = await new Promise((resolve) => socket.once('snapshot', resolve));
    fleetSnapshotSchema.parse(snapshot);
  });
});

describe('who may join as a dashboard', () => {
  it('asks for the operator token when one is set', async () => {
    const { url } = await start({ settings: { operatorToken: 'people only', agentToken: 'agents only' } });
    for (const auth of [{}, { token: 'wrong' }, { token: 'agents only' }, { token: ['people only'] }]) {
      const refused = await outcome(open(`${url}/dashboard`, { auth }));
      expect(refused.code).toBe('unauthorized');
      expect(refused.message).toContain('operator token');
    }
    expect((await outcome(open(`${url}/dashboard`, { auth: { token: 'people only' } }))).message).toBe(
      'connected',
    );
  });

  it('is closed to pages of other sites when no token is set', async () => {
    const { url } = await start();
    const refused = await outcome(
      open(`${url}/dashboard`, { extraHeaders: { origin: 'http://evil.example' } }),
    );
    expect(refused.message).not.toBe('connected');
    expect((await outcome(open(`${url}/dashboard`, { extraHeaders: { origin: url } }))).message).toBe(
      'connected',
    );
  });

  it('takes as many dashboards as are allowed, and a new one when one leaves', async () => {
    const { url } = await start({ settings: { limits: { maxDashboards: 1 } } });
    const first = open(`${url}/dashboard`);
    expect((await outcome(first)).message).toBe('connected');
    expect((await outcome(open(`${url}/dashboard`))).code).toBe('unavailable');
    first.disconnect();
    await until(
      'room for another',
      async () => (await outcome(open(`${url}/dashboard`))).message === 'connected',
    );
  });

  it.each(['/', '/admin', '/agents/x', '/dashboard2'])('is not served as %s', async (namespace) => {
    const { url } = await start();
    expect((await outcome(open(`${url}${namespace}`))).message).not.toBe('connected');
  });

  it('closes a connection that joins nothing', async () => {
    const { port } = await start({ settings: { socket: { connectTimeoutMs: 300 } } });
    const tcp = await upgraded(port);
    let closed = false;
    tcp.on('close', () => {
      closed = true;
    });
    await until('the connection to be closed', () => closed);
  });
});

describe('a dashboard that stops reading', () => {
  /** Agents of a large fleet: about 3 MB a delta. */
  const crowd = Array.from({ length: 6000 }, (_, index) => summaryOf(`agent-with-a-long-name-${index}`));

  it('is cut off, costs little until then, and harms no other', async () => {
    const { url, port, delta$, io, registry } = await start({ settings: { dashboard: { stallMs: 2000 } } });
    const healthy: number[] = [];
    open(`${url}/dashboard`).on('delta', ({ ts }: FleetDelta) => healthy.push(ts));
    const tcp = await upgraded(port);
    tcp.write(textFrame('40/dashboard,'));
    const namespace = io.of('/dashboard');
    await until('both dashboards', () => namespace.sockets.size === 2);
    tcp.pause();

    let ts = 0;
    let buffered = 0;
    await until(
      'the stalled dashboard to be cut off',
      () => {
        ts += 1;
        delta$.next(deltaOf(ts, crowd));
        for (const { request } of namespace.sockets.values()) {
          buffered = Math.max(buffered, request.socket.writableLength);
        }
        return namespace.sockets.size === 1;
      },
      { everyMs: 50 },
    );
    expect(buffered).toBeGreaterThan(100_000);
    expect(buffered).toBeLessThan(20e6);
    expect(await registry.metrics()).toContain('holdfast_dashboards_cut_total{reason="stalled"} 1');
    const before = healthy.length;
    delta$.next(deltaOf(ts + 1, []));
    await until('the other dashboard to be served on', () => healthy.length > before);
    expect(healthy.length).toBeGreaterThan(5);
  });
});

/** A WebSocket by hand, whose reading can be stopped at the TCP socket; past the handshake of Engine.IO. */
async function upgraded(port: number): Promise<TcpSocket> {
  const tcp = connect(port, '127.0.0.1');
  tcp.on('error', () => {});
  onTestFinished(() => {
    tcp.destroy();
  });
  tcp.write(
    `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\n\r\n',
  );
  let received = '';
  tcp.on('data', (chunk) => {
    if (received.length < 1000) received += chunk.toString('latin1');
  });
  await until('the handshake', () => received.includes('"sid"'));
  return tcp;
}

/** A masked text frame with a zero mask. */
function textFrame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}
