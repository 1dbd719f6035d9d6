/** The link by long polling, against real sockets. */
import { createServer, type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import type { FakeHqBehaviour } from '../../testing/fake-hq.ts';
import { failureOf, fakeHq, HELLO, linkTo, listening, openLink } from '../../testing/watched-link.ts';
import { adviseOnUpgrades } from './upgrade-failure.ts';

const pollingHq = (behave: FakeHqBehaviour = {}) => fakeHq({ transports: ['polling'], ...behave });
const byPolling = (url: string, token?: string) =>
  linkTo(url, token === undefined ? { transport: 'polling' } : { transport: 'polling', token });
const answering = async (listener: RequestListener) =>
  `http://127.0.0.1:${await listening(createServer(listener))}`;

describe('HQ by long polling', () => {
  it('gets the token, answers, and takes frames of any bytes', async () => {
    const hq = await pollingHq({ token: 'secret' });
    expect((await failureOf(byPolling(hq.url))).kind).toBe('unauthorized');
    const { session } = await openLink(byPolling(hq.url, 'secret'));
    expect(await firstValueFrom(session.hello(HELLO))).toMatchObject({ ok: true, credit: 8 });
    const echoed = new Promise((resolve) => {
      for (const socket of hq.io.of('/agents').sockets.values()) {
        // They are no frame.
        socket.removeAllListeners('frame');
        socket.on('frame', (_meta, bytes) => resolve(bytes));
      }
    });
    const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index * 7);
    session.frame({ lane: 'live' }, bytes).subscribe({ error: () => {} });
    expect(await echoed).toEqual(Buffer.from(bytes));
  });

  it('counts the bytes of all its requests, and ends its connections when it is left', async () => {
    const hq = await pollingHq();
    const seen = new Set<Socket>();
    hq.io.httpServer.on('connection', (socket: Socket) => void seen.add(socket));
    const { session, subscription } = await openLink(byPolling(hq.url));
    for (let count = 0; count < 5; count += 1) await firstValueFrom(session.hello(HELLO));
    const both = () => {
      const { sent, received } = session.traffic();
      return [sent, received];
    };
    const counted = () => [
      [...seen].reduce((sum, { bytesRead }) => sum + bytesRead, 0),
      [...seen].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
    ];
    await eventually(() => expect(both()).toEqual(counted()));
    // One that waits, and one that brings.
    expect(seen.size).toBe(2);
    subscription.unsubscribe();
    await eventually(() => expect(hq.io.engine.clientsCount).toBe(0));
    await eventually(() => expect([...seen].every(({ destroyed }) => destroyed)).toBe(true));
  });

  it('that goes ends the connection', async () => {
    const hq = await pollingHq();
    const watched = await openLink(byPolling(hq.url));
    hq.io.of('/agents').disconnectSockets(true);
    await eventually(() => expect(watched.error?.kind).toBe('closed'));
  });
});

describe('what is not HQ', () => {
  const opens = `0${JSON.stringify({ sid: 'x', upgrades: [], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1e6 })}`;

  it.each<[string, RequestListener, string]>([
    ['a page', (_request, response) => response.end('<html>log in</html>'), 'protocol'],
    ['a handshake that is no JSON', (_request, response) => response.end('0{'), 'protocol'],
    ['HTTP 403', (_request, response) => response.writeHead(403).end(), 'unauthorized'],
    ['HTTP 302', (_request, response) => response.writeHead(302, { location: '/' }).end(), 'redirect'],
    ['HTTP 404', (_request, response) => response.writeHead(404).end(), 'protocol'],
    ['a proxy whose backend is down', (_request, response) => response.writeHead(503).end(), 'refused'],
    [
      'an answer without end',
      (request, response) => {
        if (request.url?.includes('sid=') !== true) return response.end(opens);
        response.on('error', () => {});
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, 0x34)));
        };
        response.on('drain', more);
        return more();
      },
      'protocol',
    ],
  ])('%s fails by name', async (_what, listener, kind) => {
    expect((await failureOf(byPolling(await answering(listener)))).kind).toBe(kind);
  });

  it('nothing there: refused', async () => {
    expect((await failureOf(byPolling('http://127.0.0.1:1'))).kind).toBe('refused');
  });
});

it.each([400, 403, 405, 426, 501])(
  'a WebSocket that HTTP %d answers is blocked, and it is said what helps',
  async (status) => {
    const url = await answering((_request, response) => response.writeHead(status).end());
    const error = await failureOf(adviseOnUpgrades(linkTo(url)));
    expect(error.kind).toBe('upgrade_blocked');
    expect(error.message).toContain(`HTTP ${status}`);
    expect(error.message).toContain('uplink.transport');
  },
);
