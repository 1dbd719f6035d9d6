import { expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startTestGateway } from './testing/listening.ts';
import { connectSlowly } from './testing/slow-client.ts';

const MIB = 1024 * 1024;

async function listening() {
  const gateway = await startTestGateway({ settings: { limits: { bodyBytes: MIB } } });
  onTestFinished(gateway.stop);
  return gateway;
}

const head = (bytes: number) =>
  `POST /telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`;

it('lets a client that sends all before it reads see that its body is too large, and go on', async () => {
  const { url, port } = await listening();
  const big = 'x'.repeat(8 * MIB);
  const headers = { 'content-type': 'application/json' };
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => fetch(`${url}/telemetry`, { method: 'POST', headers, body: big })),
  );
  expect(answers.map(({ status }) => status)).toEqual([413, 413, 413, 413]);
  const client = connectSlowly(port);
  client.send(head(2 * MIB));
  client.send('x'.repeat(2 * MIB));
  client.send('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  await eventually(() => expect(client.received()).toMatch(/HTTP\/1.1 413.*HTTP\/1.1 200/s));
});

it.each([
  ['asks for an end of the connection', 'HTTP/1.1', 'Connection: close\r\n'],
  ['speaks HTTP/1.0', 'HTTP/1.0', ''],
])('lets a client see that, which %s', async (_what, version, header) => {
  const { port } = await listening();
  const client = connectSlowly(port);
  const broken: string[] = [];
  client.tcp.on('error', ({ message }) => broken.push(message));
  client.send(head(12 * MIB).replace('HTTP/1.1\r\n', `${version}\r\n${header}`));
  for (let sent = 0; sent < 12; sent += 1) {
    client.send(Buffer.alloc(MIB, 120));
    // Slower than the answer comes, which a client that writes only does not see.
    await eventually(() => expect(client.tcp.writableLength).toBe(0));
  }
  await eventually(() => expect(client.isClosed()).toBe(true));
  expect(client.received()).toMatch(/^HTTP\/1.1 413.*connection: close/is);
  expect(broken).toEqual([]);
});

it('reads no more than so much of what nobody takes', async () => {
  const { port } = await listening();
  const client = connectSlowly(port);
  client.send(head(1000 * MIB));
  let sent = 0;
  while (sent < 200 && !client.isClosed()) {
    client.send(Buffer.alloc(MIB, 120));
    sent += 1;
    await eventually(() => expect(client.isClosed() || client.tcp.writableLength === 0).toBe(true));
  }
  expect(sent, 'what 16 MiB and the buffers on the way take').toBeLessThan(100);
  expect(client.received()).toContain('HTTP/1.1 413');
});
