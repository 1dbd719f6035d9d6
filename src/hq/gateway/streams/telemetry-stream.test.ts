/** The telemetry stream over real WebSockets: who is let in, what comes, and how it ends. */
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { until } from '../../../../tests/support/wait.ts';
import { problemSchema } from '../../http/problem.ts';
import { start } from '../../testing/started-hq.ts';

const PATH = '/api/v1/ws/telemetry';
const TOKEN = 'operator-token';
const messageSchema = z.object({
  samples: z.array(z.object({ agent: z.string(), values: z.record(z.string(), z.number()) })),
});

type OpenOptions = {
  readonly headers?: Record<string, string>;
  readonly protocols?: readonly string[];
};

function open(url: string, query = '', { headers = {}, protocols = [] }: OpenOptions = {}) {
  const client = new WebSocket(`${url.replace('http', 'ws')}${PATH}${query}`, [...protocols], { headers });
  onTestFinished(() => client.terminate());
  const samples: { readonly agent: string; readonly values: Record<string, number> }[] = [];
  client.on('message', (data) => samples.push(...messageSchema.parse(JSON.parse(String(data))).samples));
  const closed = new Promise<number>((resolve) => client.once('close', resolve));
  const opened = new Promise<{
    readonly status: number;
    readonly body: string;
    readonly retryAfter?: string;
  }>((resolve, reject) => {
    client.once('open', () => resolve({ status: 101, body: '' }));
    client.once('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          body,
          ...(response.headers['retry-after'] !== undefined && {
            retryAfter: response.headers['retry-after'],
          }),
        }),
      );
    });
    client.on('error', reject);
  });
  return { client, samples, opened, closed };
}

async function deliver(url: string, agent: string, value: number, series = 'x') {
  const answer = await fetch(`${url}/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ agent, timestamp: Date.now(), metrics: { [series]: value } }),
  });
  expect(answer.status).toBe(202);
}

describe('the telemetry stream', () => {
  it('shows what is stored, of the agents and series that are asked for', async () => {
    const { url } = await start();
    const all = open(url);
    const some = open(url, '?agent=a2&series=x');
    for (const { opened } of [all, some]) expect((await opened).status).toBe(101);
    await deliver(url, 'a1', 1);
    await deliver(url, 'a2', 2);
    await deliver(url, 'a2', 3, 'y');
    await until('all samples', () => all.samples.length === 3);
    expect(all.samples.map(({ agent, values }) => ({ agent, values }))).toEqual([
      { agent: 'a1', values: { x: 1 } },
      { agent: 'a2', values: { x: 2 } },
      { agent: 'a2', values: { y: 3 } },
    ]);
    await until('the one', () => some.samples.length > 0);
    expect(some.samples.map(({ values }) => values)).toEqual([{ x: 2 }]);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('holdfast_hq_telemetry_streams 2\n');
    expect(metrics).toContain('holdfast_hq_telemetry_stream_samples_total 4\n');
  });

  it('lets in who shows the token, by header or as browsers can, and nobody else', async () => {
    const { url } = await start({ operatorToken: TOKEN });
    const encoded = Buffer.from(TOKEN).toString('base64url');
    const ways: OpenOptions[] = [
      { headers: { authorization: `Bearer ${TOKEN}` } },
      { protocols: ['holdfast.telemetry.v1', `holdfast.bearer.${encoded}`] },
    ];
    for (const way of ways) expect((await open(url, '', way).opened).status).toBe(101);
    const wrong: OpenOptions[] = [{}, { headers: { authorization: 'Bearer wrong' } }];
    for (const way of wrong) {
      const { status, body } = await open(url, '', way).opened;
      expect(status).toBe(401);
      expect(problemSchema.strict().parse(JSON.parse(body))).toMatchObject({
        type: 'urn:holdfast:problem:unauthorized',
        instance: PATH,
      });
    }
  });

  it('is for pages of HQ itself, under a name that nobody can rebind, where no token is asked for', async () => {
    const { url } = await start();
    const { host } = new URL(url);
    const cases: [Record<string, string>, number][] = [
      [{ origin: `http://${host}` }, 101],
      [{ origin: 'https://evil.example' }, 403],
      [{ host: 'evil.example' }, 403],
      [{ host: 'evil.example', origin: 'http://evil.example' }, 403],
    ];
    for (const [headers, status] of cases)
      expect((await open(url, '', { headers }).opened).status, JSON.stringify(headers)).toBe(status);
  });

  it('refuses before the upgrade what it cannot serve', async () => {
    const { url } = await start({ limits: { maxStreams: 1 } });
    const odd = await open(url, '?agents=a1').opened;
    expect(odd.status).toBe(400);
    expect(problemSchema.parse(JSON.parse(odd.body)).errors).toEqual([
      { field: 'agents', message: 'unknown field' },
    ]);
    expect((await open(url, '?label=:').opened).status).toBe(400);
    expect((await open(url).opened).status).toBe(101);
    const over = await open(url).opened;
    expect(over.status).toBe(503);
    expect(over.retryAfter).toBe('30');
    const plain = await fetch(`${url}${PATH}`);
    expect(plain.status).toBe(426);
    expect(plain.headers.get('upgrade')).toBe('websocket');
  });

  it('bounds how often one address tries', async () => {
    const { url } = await start({ limits: { requestsPerMinute: 3 } });
    const statuses = [];
    for (let index = 0; index < 4; index += 1) statuses.push((await open(url).opened).status);
    expect(statuses).toEqual([101, 101, 101, 429]);
  });

  it('takes no messages', async () => {
    const { url } = await start();
    const { client, opened, closed } = open(url);
    await opened;
    client.send('{"type":"subscribe"}');
    expect(await closed).toBe(1003);
    const large = open(url);
    await large.opened;
    large.client.send('x'.repeat(5000));
    expect(await large.closed).toBe(1009);
  });

  it('survives clients that break off, at once or in the middle', async () => {
    const { url } = await start();
    const { port } = new URL(url);
    for (const text of [
      `GET ${PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      `GET ${PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
    ]) {
      const tcp = connect(Number(port), '127.0.0.1');
      tcp.on('error', () => {});
      tcp.write(text);
      await new Promise((resolve) => tcp.once('data', resolve));
      tcp.resetAndDestroy();
    }
    const { samples, opened } = open(url);
    await opened;
    await deliver(url, 'a1', 1);
    await until('a sample', () => samples.length === 1);
  });

  it('serves a thousand clients, each with all there is', async () => {
    const { url } = await start({ limits: { maxConnectionsPerAddress: 1_500 } });
    const clients = Array.from({ length: 1_000 }, () => open(url));
    for (const { opened } of clients) expect((await opened).status).toBe(101);
    expect((await open(url).opened).status).toBe(503);
    for (let value = 0; value < 3; value += 1) await deliver(url, 'a1', value);
    await until('all samples at all clients', () => clients.every(({ samples }) => samples.length === 3));
  });

  it('ends with HQ', async () => {
    const hq = await start();
    const { opened, closed } = open(hq.url);
    await opened;
    await hq.stop();
    expect([1001, 1006]).toContain(await closed);
  });
});
