/** What is known of an upgrade that fails, against real sockets. */
import { createServer } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { createSystemClock } from '../../../platform/clock.ts';
import { failureOf, fakeHq, linkTo, listening } from '../../testing/watched-link.ts';
import { createCountedAgent } from '../counted-sockets.ts';
import type { ProbeResult } from '../ways/open-beside.ts';
import { probeUpgrade } from './probe-upgrade.ts';
import { adviseOnUpgrades } from './upgrade-failure.ts';

/** Of a server that does this with an upgrade. */
async function failing(answer: (socket: Socket) => void, connectTimeoutMs = 60_000) {
  const server = createServer().on('upgrade', (_request, socket: Socket) => {
    socket.on('error', () => {});
    answer(socket);
  });
  const url = `http://127.0.0.1:${await listening(server)}`;
  return failureOf(adviseOnUpgrades(linkTo(url, { connectTimeoutMs })));
}

const page = (status: number) => (socket: Socket) =>
  socket.end(`HTTP/1.1 ${status} What\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>`);

it.each([
  [200, 'protocol'],
  [404, 'protocol'],
  [407, 'proxy'],
  [502, 'refused'],
  [503, 'refused'],
  [504, 'refused'],
])('HTTP %d to it may be a block: the failure says so', async (status, kind) => {
  const error = await failing(page(status));
  expect(error).toMatchObject({ kind, upgrade: `HTTP ${status} to the upgrade` });
  expect(error.message).toContain(`(HTTP ${status} to the upgrade): set uplink.transport to auto or polling`);
});

it.each([
  [
    'an end of the connection',
    (socket: Socket) => socket.end(),
    'closed',
    'the connection ends at the upgrade',
  ],
  ['a reset', (socket: Socket) => socket.resetAndDestroy(), 'closed', 'the connection ends at the upgrade'],
  ['no answer', () => {}, 'timeout', 'the upgrade gets no answer'],
  [
    'an upgrade to something else',
    (socket: Socket) => socket.end('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'),
    'protocol',
    'the upgrade gets no valid answer',
  ],
])('%s may be a block', async (_what, answer, kind, upgrade) => {
  const error = await failing(answer, kind === 'timeout' ? 200 : undefined);
  expect(error).toMatchObject({ kind, upgrade });
  expect(error.message).toContain(`(${upgrade}): set uplink.transport`);
});

it.each([
  ['no credentials', page(401), 'unauthorized'],
  ['another address', page(302), 'redirect'],
])('an answer that any request gets (%s) is none', async (_what, answer, kind) => {
  expect(await failing(answer)).toMatchObject({ kind, upgrade: null });
});

it('a WebSocket that ends before HQ speaks by it may be blocked', async () => {
  const server = createServer();
  new WebSocketServer({ server }).on('connection', (socket) => socket.terminate());
  const error = await failureOf(linkTo(`http://127.0.0.1:${await listening(server)}`));
  expect(error).toMatchObject({ kind: 'closed', upgrade: 'the connection ends at the upgrade' });
});

it('a failure before the wish for a WebSocket went out is none', async () => {
  const gone = createTcpServer();
  const port = await listening(gone);
  await new Promise((done) => gone.close(done));
  expect(await failureOf(linkTo(`http://127.0.0.1:${port}`))).toMatchObject({
    kind: 'refused',
    upgrade: null,
  });
  // TCP stands, TLS does not.
  for (const [answer, kind] of [
    [() => {}, 'timeout'],
    [(socket: Socket) => socket.once('data', () => socket.resetAndDestroy()), 'closed'],
  ] as const) {
    const silent = await listening(createTcpServer((socket) => void answer(socket.on('error', () => {}))));
    const link = linkTo(`https://127.0.0.1:${silent}`, {
      connectTimeoutMs: kind === 'timeout' ? 200 : 60_000,
    });
    expect(await failureOf(link)).toMatchObject({ kind, upgrade: null });
  }
});

it('what HQ itself refuses by a WebSocket is none', async () => {
  const hq = await fakeHq({ token: 'secret' });
  const error = await failureOf(adviseOnUpgrades(linkTo(hq.url, { token: 'wrong' })));
  expect(error).toMatchObject({ kind: 'unauthorized', upgrade: null });
  expect(error.message).not.toContain('uplink.transport');
});

const probing = (address: string, timeoutMs: number) =>
  new Promise<ProbeResult>((resolve, reject) => {
    const agentOf = (onSocket: Parameters<typeof createCountedAgent>[0]['onSocket']) =>
      createCountedAgent({ secure: false, onSocket, proxy: null });
    probeUpgrade({ address, agentOf, timeoutMs, clock: createSystemClock() }).subscribe({
      next: resolve,
      error: reject,
    });
  });

it('a WebSocket gets through once HQ has spoken by it', async () => {
  const hq = await fakeHq();
  const { answers, sent, received } = await probing(hq.url, 60_000);
  expect({ answers, sent: sent > 100, received: received > 100 }).toEqual({
    answers: true,
    sent: true,
    received: true,
  });
  const mute = createServer().on('upgrade', (_request, socket: Socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  expect(await probing(`http://127.0.0.1:${await listening(mute)}`, 200)).toMatchObject({ answers: false });
});
