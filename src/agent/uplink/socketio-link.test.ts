/** The adapter against real sockets, most of them playing a bad HQ. */
import { createServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { firstValueFrom, type Subscription } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { createSystemClock } from '../../platform/clock.ts';
import { type FakeHq, type FakeHqBehaviour, SILENCE, startFakeHq } from '../testing/fake-hq.ts';
import { LinkError, type LinkEvent, type LinkSession } from './link.ts';
import { createSocketIoLink } from './socketio-link.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function listen(server: HttpServer | TcpServer): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    cleanups.push(() => new Promise((done) => server.close(done)));
  });
}

async function fakeHq(behave: FakeHqBehaviour = {}): Promise<FakeHq> {
  const hq = await startFakeHq(() => behave);
  cleanups.push(hq.close);
  return hq;
}

type Watched = { readonly events: LinkEvent[]; error: LinkError | null; readonly subscription: Subscription };

function watch(url: string, options: { token?: string; connectTimeoutMs?: number } = {}): Watched {
  const link = createSocketIoLink({
    url,
    token: () => options.token,
    instance: 'me',
    connectTimeoutMs: options.connectTimeoutMs ?? 2_000,
    clock: createSystemClock(),
  });
  const watched: Watched = {
    events: [],
    error: null,
    subscription: link.connect().subscribe({
      next: (event) => watched?.events.push(event),
      error: (error) => {
        if (error instanceof LinkError) watched.error = error;
        else throw error;
      },
    }),
  };
  cleanups.push(() => watched.subscription.unsubscribe());
  return watched;
}

async function failure(url: string, options: { connectTimeoutMs?: number } = {}): Promise<LinkError> {
  const watched = watch(url, options);
  return vi.waitFor(() => watched.error ?? Promise.reject(new Error('no failure yet')), { timeout: 8_000 });
}

async function open(url: string, token?: string): Promise<Watched & { session: LinkSession }> {
  const watched = watch(url, token === undefined ? {} : { token });
  const session = await vi.waitFor(() => {
    const [event] = watched.events;
    if (event?.type !== 'open') throw new Error('not open yet');
    return event.session;
  });
  return Object.assign(watched, { session });
}

const hello = {
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

describe('what is not HQ', () => {
  it('nothing there: refused', async () => {
    const server = createTcpServer();
    const port = await listen(server);
    await new Promise((done) => server.close(done));
    expect((await failure(`http://127.0.0.1:${port}`)).kind).toBe('refused');
  });

  it('a name that does not resolve: dns', async () => {
    const error = await failure('http://holdfast-nowhere.invalid:8000');
    expect(error.kind).toBe('dns');
    expect(error.message).toContain('holdfast-nowhere.invalid');
  });

  it.each([301, 302, 307, 308])('HTTP %d is not followed: redirect', async (status) => {
    const target = await fakeHq();
    const port = await listen(
      createServer((_, response) => response.writeHead(status, { location: target.url }).end()).on(
        'upgrade',
        (_, socket) => socket.end(`HTTP/1.1 ${status} Moved\r\nLocation: ${target.url}\r\n\r\n`),
      ),
    );
    expect((await failure(`http://127.0.0.1:${port}`)).kind).toBe('redirect');
    expect(target.connections()).toBe(0);
  });

  it('no TLS behind https: tls', async () => {
    const port = await listen(createServer());
    expect((await failure(`https://127.0.0.1:${port}`)).kind).toBe('tls');
  });

  it('a web server: protocol', async () => {
    const port = await listen(createServer((_, response) => response.writeHead(404).end('no')));
    expect((await failure(`http://127.0.0.1:${port}`)).kind).toBe('protocol');
  });

  it('garbage instead of HTTP: protocol', async () => {
    const port = await listen(
      createTcpServer((socket) => {
        socket.on('error', () => {}).resume();
        socket.end('\u0000\u0001 rubbish rubbish rubbish\r\n\r\n');
      }),
    );
    expect((await failure(`http://127.0.0.1:${port}`)).kind).toBe('protocol');
  });

  it('a server that accepts and says nothing: timeout', async () => {
    const port = await listen(
      createTcpServer((socket) => {
        // The agent resets a silent connection.
        socket.on('error', () => {});
        cleanups.push(() => socket.destroy());
      }),
    );
    expect((await failure(`http://127.0.0.1:${port}`, { connectTimeoutMs: 200 })).kind).toBe('timeout');
  });

  it('a Socket.IO server without our namespace: protocol', async () => {
    const hq = await fakeHq();
    hq.io._nsps.delete('/agents');
    expect((await failure(hq.url)).kind).toBe('protocol');
  });

  it.each(['0{', '0null', '0"x"', '9', ''])('a handshake of %o: protocol', async (text) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    server.on('connection', (socket) => socket.send(text));
    await new Promise((resolve) => void server.once('listening', resolve));
    cleanups.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    expect((await failure(`http://127.0.0.1:${port}`)).kind).toBe('protocol');
  });

  it('a proxy whose backend is down: refused', async () => {
    const port = await listen(
      createServer().on('upgrade', (_, socket) => socket.end('HTTP/1.1 503 Unavailable\r\n\r\n')),
    );
    expect((await failure(`http://127.0.0.1:${port}`)).kind).toBe('refused');
  });
});

describe('HQ', () => {
  it('gets the token in the handshake; a wrong one is unauthorized', async () => {
    const hq = await fakeHq({ token: 'secret' });
    const refused = await failure(hq.url);
    expect(refused.kind).toBe('unauthorized');
    expect(refused.message).toContain('Check the token (--token-file, --token or HOLDFAST_TOKEN).');
    await open(hq.url, 'secret');
    expect(hq.connections()).toBe(1);
  });

  it('answers requests; the answers are parsed', async () => {
    const hq = await fakeHq();
    const { session } = await open(hq.url);
    expect(await firstValueFrom(session.hello(hello))).toMatchObject({ ok: true, credit: 8 });
  });

  it.each([
    ['nothing', [null]],
    ['a text', ['ok']],
    ['an ack of the wrong shape', [{ ok: true, ack: { contiguous: -1, ranges: 'x' }, credit: 1 }]],
    ['a prototype', [JSON.parse('{"__proto__":{"ok":true}}')]],
  ])('that answers %s breaks the protocol', async (_what, [reply]) => {
    const hq = await fakeHq({ hello: () => reply ?? null });
    const { session } = await open(hq.url);
    await expect(firstValueFrom(session.hello(hello))).rejects.toMatchObject({ kind: 'protocol' });
  });

  it('that goes ends the connection and everything that waits for an answer', async () => {
    const hq = await fakeHq({ hello: () => SILENCE });
    const watched = await open(hq.url);
    const answer = firstValueFrom(watched.session.hello(hello));
    await vi.waitFor(() => expect(hq.hellos).toHaveLength(1));
    hq.io.of('/agents').disconnectSockets(true);
    await expect(answer).rejects.toMatchObject({ kind: 'closed' });
    await vi.waitFor(() => expect(watched.error?.kind).toBe('closed'));
    // Nothing is kept for a later connection.
    await expect(firstValueFrom(watched.session.hello(hello))).rejects.toMatchObject({ kind: 'closed' });
    expect(hq.connections()).toBe(1);
  });

  it('that sends credit, a probe, unknown events and unusable payloads', async () => {
    const answers: unknown[] = [];
    const hq = await fakeHq({
      onConnection: (socket) => {
        socket.emit('credit', { frames: 3 });
        socket.emit('credit', { frames: 'many' });
        socket.emit('surprise', { x: 1 });
        socket.emit('probe', (answer: unknown) => answers.push(answer));
        socket.emit('probe');
      },
    });
    const watched = await open(hq.url);
    await vi.waitFor(() => expect(watched.events).toHaveLength(5));
    expect(watched.events.slice(1)).toEqual([
      { type: 'credit', frames: 3 },
      { type: 'ignored', name: 'credit' },
      { type: 'ignored', name: 'surprise' },
      { type: 'ignored', name: 'probe' },
    ]);
    await vi.waitFor(() => expect(answers).toEqual([{ instance: 'me' }]));
    expect(watched.error).toBeNull();
  });

  it('whose limit a message exceeds closes the connection, and we do not come back by ourselves', async () => {
    const hq = await fakeHq({ maxMessageBytes: 10_000 });
    const watched = await open(hq.url);
    const sent = firstValueFrom(watched.session.frame({ lane: 'live' }, new Uint8Array(50_000)));
    await expect(sent).rejects.toMatchObject({ kind: 'closed' });
    await vi.waitFor(() => expect(watched.error?.kind).toBe('closed'));
    expect(hq.connections()).toBe(1);
  });

  it('sees the connection close when we leave it', async () => {
    const hq = await fakeHq();
    const watched = await open(hq.url);
    watched.subscription.unsubscribe();
    await vi.waitFor(() => expect(hq.io.of('/agents').sockets.size).toBe(0));
    await vi.waitFor(() => expect(hq.io.engine.clientsCount).toBe(0));
  });
});
