/** Addresses that are nearly right, against real sockets: what is said must lead to the mistake. */
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { startTlsFront } from '../../testing/tls-front.ts';
import { failureOf, fakeHq, linkTo, listening } from '../../testing/watched-link.ts';
import type { Transport } from './transport.ts';
import { adviseOnUpgrades } from './upgrade-failure.ts';

const failing = (url: string, transport: Transport) => {
  const link = linkTo(url, { transport });
  return failureOf(transport === 'websocket' ? adviseOnUpgrades(link) : link);
};
/** Answers requests and upgrades alike. */
const answering = async (status: number, body: string) => {
  const listener: RequestListener = (_request, response) => response.writeHead(status).end(body);
  const server = createServer(listener).on('upgrade', (_request, socket: Socket) => {
    socket.on('error', () => {});
    socket.end(`HTTP/1.1 ${status} What\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  return `127.0.0.1:${await listening(server)}`;
};
const tcp = async (answer: Buffer) =>
  `127.0.0.1:${await listening(createTcpServer((socket) => void socket.on('error', () => {}).once('data', () => socket.end(answer))))}`;

describe.each<Transport>(['websocket', 'polling'])('by %s', (transport) => {
  it.each([404, 410])('a path that is not there (HTTP %d) is asked about first', async (status) => {
    const host = await answering(status, 'nothing here');
    const { kind, message } = await failing(`http://${host}/hg`, transport);
    expect(kind).toBe('protocol');
    expect(message).toContain(
      `http://${host}/hg answers HTTP ${status}: nothing is at /hg/socket.io/ there. Is the path in hq right?`,
    );
  });

  it('https: to plain HTTP says so, without words of OpenSSL', async () => {
    const { url } = await fakeHq();
    const secure = url.replace('http:', 'https:');
    expect(await failing(secure, transport)).toMatchObject({
      kind: 'tls',
      message: `What answers at ${secure} does not speak TLS. If HQ speaks plain HTTP there, write ${url}.`,
    });
  });

  it.each([
    ['nginx', '<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>'],
    ['Apache', "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />"],
    ['Go', 'Client sent an HTTP request to an HTTPS server.\n'],
  ])('http: to TLS is known by the words of %s', async (_whose, body) => {
    const host = await answering(400, body);
    expect(await failing(`http://${host}`, transport)).toMatchObject({
      kind: 'tls',
      message: `HQ speaks TLS at http://${host}: write https://${host}.`,
      upgrade: null,
    });
  });

  it('http: to TLS is known by its alert', async () => {
    const host = await tcp(Buffer.from('15030100020246', 'hex'));
    expect(await failing(`http://${host}`, transport)).toMatchObject({
      kind: 'tls',
      message: `HQ speaks TLS at http://${host}: write https://${host}.`,
    });
  });

  it('http: to TLS that ends without a word is thought of', async () => {
    const { url } = await fakeHq();
    const { port } = await startTlsFront(Number(new URL(url).port));
    const { kind, message } = await failing(`http://127.0.0.1:${port}`, transport);
    expect(kind).toBe('closed');
    expect(message).toContain(`If HQ speaks TLS there, write https://127.0.0.1:${port}.`);
  });

  it('another HTTP 400 is none of TLS, also with a long page', async () => {
    const long = await failing(`http://${await answering(400, 'x'.repeat(5_000))}`, transport);
    expect(long.kind).toBe(transport === 'websocket' ? 'upgrade_blocked' : 'protocol');
    expect(long.message).toContain('HTTP 400');
  });
});
