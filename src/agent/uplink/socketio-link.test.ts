/** The adapter against real sockets, most of them playing a bad HQ. */
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { eventually } from '../../../tests/support/eventually.ts';
import { SILENCE } from '../testing/fake-hq.ts';
import { failureOf, fakeHq, HELLO, linkTo, listening, openLink } from '../testing/watched-link.ts';

describe('what is not HQ', () => {
  it('nothing there: refused', async () => {
    const server = createTcpServer();
    const port = await listening(server);
    await new Promise((done) => server.close(done));
    expect((await failureOf(linkTo(`http://127.0.0.1:${port}`))).kind).toBe('refused');
  });

  it('a name that does not resolve: dns', async () => {
    const error = await failureOf(linkTo('http://holdfast-nowhere.invalid:8000'));
    expect(error.kind).toBe('dns');
    expect(error.message).toContain('holdfast-nowhere.invalid');
  });

  it.each([301, 302, 307, 308])('HTTP %d is not followed: redirect', async (status) => {
    const target = await fakeHq();
    const port = await listening(
      createServer((_, response) => response.writeHead(status, { location: target.url }).end()).on(
        'upgrade',
        (_, socket) => socket.end(`HTTP/1.1 ${status} Moved\r\nLocation: ${target.url}\r\n\r\n`),
      ),
    );
    expect((await failureOf(linkTo(`http://127.0.0.1:${port}`))).kind).toBe('redirect');
    expect(target.connections()).toBe(0);
  });

  it('no TLS behind https: tls', async () => {
    const port = await listening(createServer());
    expect((await failureOf(linkTo(`https://127.0.0.1:${port}`))).kind).toBe('tls');
  });

  it('a web server: protocol', async () => {
    const port = await listening(createServer((_, response) => response.writeHead(404).end('no')));
    expect((await failureOf(linkTo(`http://127.0.0.1:${port}`))).kind).toBe('protocol');
  });

  it('garbage instead of HTTP: protocol', async () => {
    const port = await listening(
      createTcpServer((socket) => {
        socket.on('error', () => {}).resume();
        socket.end('\u0000\u0001 rubbish rubbish rubbish\r\n\r\n');
      }),
    );
    expect((await failureOf(linkTo(`http://127.0.0.1:${port}`))).kind).toBe('protocol');
  });

  it('a server that accepts and says nothing: timeout', async () => {
    const port = await listening(
      createTcpServer((socket) => {
        // The agent resets a silent connection.
        socket.on('error', () => {});
      }),
    );
    expect((await failureOf(linkTo(`http://127.0.0.1:${port}`, { connectTimeoutMs: 200 }))).kind).toBe(
      'timeout',
    );
  });

  it('a Socket.IO server without our namespace: protocol', async () => {
    const hq = await fakeHq();
    hq.io._nsps.delete('/agents');
    expect((await failureOf(linkTo(hq.url))).kind).toBe('protocol');
  });

  it.each(['0{', '0null', '0"x"', '9', ''])('a handshake of %o: protocol', async (text) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    server.on('connection', (socket) => socket.send(text));
    await new Promise((resolve) => void server.once('listening', resolve));
    onTestFinished(() => server.close());
    const { port } = server.address() as AddressInfo;
    expect((await failureOf(linkTo(`http://127.0.0.1:${port}`))).kind).toBe('protocol');
  });

  it('a proxy whose backend is down: refused', async () => {
    const port = await listening(
      createServer().on('upgrade', (_, socket) => socket.end('HTTP/1.1 503 Unavailable\r\n\r\n')),
    );
    expect((await failureOf(linkTo(`http://127.0.0.1:${port}`))).kind).toBe('refused');
  });
});

describe('HQ', () => {
  it('gets the token in the handshake; a wrong one is unauthorized', async () => {
    const hq = await fakeHq({ token: 'secret' });
    const refused = await failureOf(linkTo(hq.url));
    expect(refused.kind).toBe('unauthorized');
    expect(refused.message).toContain('Check the token (--token-file, --token or HOLDFAST_TOKEN).');
    await openLink(linkTo(hq.url, { token: 'secret' }));
    expect(hq.connections()).toBe(1);
  });

  it('answers requests; the answers are parsed', async () => {
    const hq = await fakeHq();
    const { session } = await openLink(linkTo(hq.url));
    expect(await firstValueFrom(session.hello(HELLO))).toMatchObject({ ok: true, credit: 8 });
  });

  it.each([
    ['nothing', [null]],
    ['a text', ['ok']],
    ['an ack of the wrong shape', [{ ok: true, ack: { contiguous: -1, ranges: 'x' }, credit: 1 }]],
    ['a prototype', [JSON.parse('{"__proto__":{"ok":true}}')]],
  ])('that answers %s breaks the protocol', async (_what, [reply]) => {
    const hq = await fakeHq({ hello: () => reply ?? null });
    const { session } = await openLink(linkTo(hq.url));
    await expect(firstValueFrom(session.hello(HELLO))).rejects.toMatchObject({ kind: 'protocol' });
  });

  it('that goes ends the connection and everything that waits for an answer', async () => {
    const hq = await fakeHq({ hello: () => SILENCE });
    const watched = await openLink(linkTo(hq.url));
    const answer = firstValueFrom(watched.session.hello(HELLO));
    await eventually(() => expect(hq.hellos).toHaveLength(1));
    hq.io.of('/agents').disconnectSockets(true);
    await expect(answer).rejects.toMatchObject({ kind: 'closed' });
    await eventually(() => expect(watched.error?.kind).toBe('closed'));
    // Nothing is kept for a later connection.
    await expect(firstValueFrom(watched.session.hello(HELLO))).rejects.toMatchObject({ kind: 'closed' });
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
    const watched = await openLink(linkTo(hq.url));
    await eventually(() => expect(watched.events).toHaveLength(5));
    expect(watched.events.slice(1)).toEqual([
      { type: 'credit', frames: 3 },
      { type: 'ignored', name: 'credit' },
      { type: 'ignored', name: 'surprise' },
      { type: 'ignored', name: 'probe' },
    ]);
    await eventually(() => expect(answers).toEqual([{ instance: 'me' }]));
    expect(watched.error).toBeNull();
  });

  it('whose limit a message exceeds closes the connection, and we do not come back by ourselves', async () => {
    const hq = await fakeHq({ maxMessageBytes: 10_000 });
    const watched = await openLink(linkTo(hq.url));
    const sent = firstValueFrom(watched.session.frame({ lane: 'live' }, new Uint8Array(50_000)));
    await expect(sent).rejects.toMatchObject({ kind: 'closed' });
    await eventually(() => expect(watched.error?.kind).toBe('closed'));
    expect(hq.connections()).toBe(1);
  });

  it('sees the connection close when we leave it', async () => {
    const hq = await fakeHq();
    const watched = await openLink(linkTo(hq.url));
    watched.subscription.unsubscribe();
    await eventually(() => expect(hq.io.of('/agents').sockets.size).toBe(0));
    await eventually(() => expect(hq.io.engine.clientsCount).toBe(0));
  });
});
