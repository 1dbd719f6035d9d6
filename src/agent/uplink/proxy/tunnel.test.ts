/** The link through a proxy, over TLS, and what becomes of an attempt that nobody waits for any more. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { createSystemClock } from '../../../platform/clock.ts';
import { startConnectProxy } from '../../testing/connect-proxy.ts';
import { startFakeHq } from '../../testing/fake-hq.ts';
import { startTlsFront, TEST_CERT } from '../../testing/tls-front.ts';
import type { LinkError, LinkEvent } from '../link.ts';
import { createSocketIoLink } from '../socketio-link.ts';
import type { HttpProxy } from './proxy-settings.ts';

const proxyAt = (port: number): HttpProxy => ({
  url: new URL(`http://127.0.0.1:${port}`),
  shown: `http://127.0.0.1:${port}`,
  variable: 'HTTPS_PROXY',
});

function connect(url: string, proxy: HttpProxy) {
  const events: LinkEvent[] = [];
  const errors: LinkError[] = [];
  const link = createSocketIoLink({
    url,
    proxy,
    token: () => undefined,
    instance: 'me',
    connectTimeoutMs: 5_000,
    clock: createSystemClock(),
  });
  const subscription = link.connect().subscribe({
    next: (event) => events.push(event),
    error: (error) => errors.push(error),
  });
  onTestFinished(() => subscription.unsubscribe());
  return { events, errors, leave: () => subscription.unsubscribe() };
}

it('carries TLS, and counts what it costs', async () => {
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, TEST_CERT]);
  onTestFinished(() => setDefaultCACertificates(before));
  const hq = await startFakeHq();
  onTestFinished(hq.close);
  const front = await startTlsFront(Number(new URL(hq.url).port));
  const proxy = await startConnectProxy(front.port);
  const { events } = connect('https://localhost:8443', proxyAt(proxy.port));
  const event = await eventually(() => {
    const [first] = events;
    if (first?.type !== 'open') throw new Error('not open yet');
    return first;
  });
  expect(proxy.targets).toEqual(['localhost:8443']);
  // CONNECT, TLS, upgrade and join.
  expect(event.session.traffic().sent).toBeGreaterThan(700);
  expect(event.session.traffic().received).toBeGreaterThan(900);
});

it.each([
  ['says nothing that HTTP knows', 'SSH-2.0-x\r\n\r\n', 'does not answer as an HTTP proxy does'],
  ['ends without an answer', null, 'ended the connection without an answer'],
])('fails by name when the other side %s', async (_what, answer, says) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    if (answer === null) socket.end();
    else socket.write(answer);
    onTestFinished(() => void socket.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const { errors } = connect('http://hq.test', proxyAt(port));
  await eventually(() => expect(errors).toHaveLength(1));
  expect(errors[0]).toMatchObject({ kind: 'proxy', message: expect.stringContaining(says) });
  expect(errors[0]?.message).toContain(`http://127.0.0.1:${port}`);
});

it('ends with the attempt while the proxy has not answered', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {}).resume();
    sockets.push(socket);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { leave } = connect('http://hq.test', proxyAt((server.address() as AddressInfo).port));
  await eventually(() => expect(sockets).toHaveLength(1));
  leave();
  await eventually(() => expect(sockets[0]?.destroyed).toBe(true));
});
