/** The link by long polling, against real sockets. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { firstValueFrom, type Subscription } from 'rxjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createSystemClock } from '../../../platform/clock.ts';
import { type FakeHq, type FakeHqBehaviour, startFakeHq } from '../../testing/fake-hq.ts';
import { LinkError, type LinkEvent, type LinkSession } from '../link.ts';
import { createSocketIoLink } from '../socketio-link.ts';
import type { Transport } from './transport.ts';

const HELLO = {
  protocol: 1,
  schema: 1,
  agent: 'a',
  epoch: '0123456789ab',
  instance: 'me',
  version: '0',
  sampled: 0,
  released: 0,
  ts: 1,
};

async function fakeHq(behave: FakeHqBehaviour = {}): Promise<FakeHq> {
  const hq = await startFakeHq(() => ({ transports: ['polling'], ...behave }));
  onTestFinished(hq.close);
  return hq;
}

async function answering(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Watched = { readonly events: LinkEvent[]; error: LinkError | null; readonly subscription: Subscription };

function connect(url: string, { token = '', transport = 'polling' as Transport } = {}): Watched {
  const link = createSocketIoLink({
    url,
    token: () => (token === '' ? undefined : token),
    transport,
    instance: 'me',
    connectTimeoutMs: 60_000,
    clock: createSystemClock(),
  });
  const watched: Watched = {
    events: [],
    error: null,
    subscription: link.connect().subscribe({
      next: (event) => watched?.events.push(event),
      error: (error) => {
        if (!(error instanceof LinkError)) throw error;
        watched.error = error;
      },
    }),
  };
  onTestFinished(() => watched.subscription.unsubscribe());
  return watched;
}

async function failure(url: string, options: { token?: string; transport?: Transport } = {}) {
  const watched = connect(url, options);
  return vi.waitFor(() => watched.error ?? Promise.reject(new Error('no failure yet')), { timeout: 30_000 });
}

async function open(url: string, token = ''): Promise<Watched & { session: LinkSession }> {
  const watched = connect(url, { token });
  const session = await vi.waitFor(
    () => {
      const [event] = watched.events;
      if (event?.type !== 'open') throw new Error('not open yet');
      return event.session;
    },
    { timeout: 30_000 },
  );
  return Object.assign(watched, { session });
}

describe('HQ by long polling', () => {
  it('gets the token, answers, and takes frames of any bytes', async () => {
    const hq = await fakeHq({ token: 'secret' });
    expect((await failure(hq.url)).kind).toBe('unauthorized');
    const { session } = await open(hq.url, 'secret');
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
    const hq = await fakeHq();
    const seen = new Set<Socket>();
    hq.io.httpServer.on('connection', (socket: Socket) => void seen.add(socket));
    const { session, subscription } = await open(hq.url);
    for (let count = 0; count < 5; count += 1) await firstValueFrom(session.hello(HELLO));
    const both = () => {
      const { sent, received } = session.traffic();
      return [sent, received];
    };
    const counted = () => [
      [...seen].reduce((sum, { bytesRead }) => sum + bytesRead, 0),
      [...seen].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
    ];
    await vi.waitFor(() => expect(both()).toEqual(counted()));
    // One that waits, and one that brings.
    expect(seen.size).toBe(2);
    subscription.unsubscribe();
    await vi.waitFor(() => expect(hq.io.engine.clientsCount).toBe(0));
    await vi.waitFor(() => expect([...seen].every(({ destroyed }) => destroyed)).toBe(true), {
      timeout: 10_000,
    });
  });

  it('that goes ends the connection', async () => {
    const hq = await fakeHq();
    const watched = await open(hq.url);
    hq.io.of('/agents').disconnectSockets(true);
    await vi.waitFor(() => expect(watched.error?.kind).toBe('closed'));
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
    expect((await failure(await answering(listener))).kind).toBe(kind);
  });

  it('nothing there: refused', async () => {
    expect((await failure('http://127.0.0.1:1')).kind).toBe('refused');
  });
});

it.each([400, 403, 405, 426, 501])(
  'a WebSocket that HTTP %d answers is blocked, and it is said what helps',
  async (status) => {
    const url = await answering((_request, response) => response.writeHead(status).end());
    const error = await failure(url, { transport: 'websocket' });
    expect(error.kind).toBe('upgrade_blocked');
    expect(error.message).toContain(`HTTP ${status}`);
    expect(error.message).toContain('uplink.transport');
  },
);
