/** What HQ's Socket.IO server refuses before anybody has joined. */
import { request } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { startTestGateway } from './testing/listening.ts';

type Answer = { readonly status: number; readonly body: string };

/** `fetch` lets nobody choose the Host. */
function ask(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
  body = '',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: String(Buffer.concat(chunks)) }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const POLLING = '/socket.io/?EIO=4&transport=polling';

it('a page to which HQ was rebound cannot write by polling, although browsers send no Origin with its first request', async () => {
  const gateway = await startTestGateway();
  onTestFinished(gateway.stop);
  const host = `evil.example:${gateway.port}`;
  const opened = await ask(gateway.port, 'GET', POLLING, { host });
  const { sid } = JSON.parse(opened.body.slice(1)) as { sid: string };
  const join = await ask(
    gateway.port,
    'POST',
    `${POLLING}&sid=${sid}`,
    { host, origin: `http://${host}` },
    '40/agents,{}',
  );
  expect(join.status).toBe(400);
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
  const socket = await ask(gateway.port, 'GET', '/socket.io/?EIO=4&transport=websocket', {
    ...{ host, origin: `http://${host}`, 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' },
    ...upgrade,
  });
  expect(socket.status).toBe(400);
  const refused = (await gateway.registry.metrics())
    .split('\n')
    .filter((line) => line.startsWith('holdfast_access_refusals_total{role="agent",reason="origin"}'));
  expect(refused.join()).toContain(' 2');
});

it.each([
  ['PUT', '', 405],
  ['DELETE', '', 405],
  ['PATCH', '&sid=x', 405],
  ['GET', '&j=0', 400],
  ['POST', '&j=0&sid=x', 400],
])('a %s that no client sends is refused: %s, with %i', async (method, query, status) => {
  const gateway = await startTestGateway();
  onTestFinished(gateway.stop);
  const answer = await ask(gateway.port, method, `${POLLING}${query}`, { host: `127.0.0.1:${gateway.port}` });
  expect(answer.status).toBe(status);
});

it('a page that comes from HQ itself may', async () => {
  const gateway = await startTestGateway();
  onTestFinished(gateway.stop);
  const host = `127.0.0.1:${gateway.port}`;
  const opened = await ask(gateway.port, 'GET', POLLING, { host });
  const { sid } = JSON.parse(opened.body.slice(1)) as { sid: string };
  const join = await ask(
    gateway.port,
    'POST',
    `${POLLING}&sid=${sid}`,
    { host, origin: `http://${host}` },
    '40/dashboard,{}',
  );
  expect(join).toEqual({ status: 200, body: 'ok' });
});
