import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { problemSchema } from '../http/problem.ts';
import { problemOfClient, slowRequest } from './client-error.ts';
import { openApiDocument } from './openapi.ts';
import { ask } from './testing/http.ts';
import { startTestGateway } from './testing/listening.ts';
import { createTestGateway } from './testing/test-gateway.ts';

let gateway: Awaited<ReturnType<typeof startTestGateway>>;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.stop());

/** Everything that HQ answers to these bytes. */
function answerTo(...pieces: readonly (string | Uint8Array)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = connect(gateway.port, '127.0.0.1');
    let answer = '';
    client.setEncoding('utf8');
    client.on('data', (text: string) => {
      answer += text;
    });
    client.once('error', reject);
    client.once('end', () => client.end());
    client.once('close', () => resolve(answer));
    for (const piece of pieces) client.write(piece);
  });
}

const headers = (count: number) =>
  Array.from({ length: count }, (_, index) => `x-${index}: ${'y'.repeat(4000)}\r\n`).join('');

describe('what never becomes a request', () => {
  it.each([
    [400, 'nonsense\r\n\r\n', /no request of HTTP/],
    [400, 'GET / HTTP/9.9\r\nhost: a\r\n\r\n', /no request of HTTP/],
    [400, 'POST /telemetry HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n', /no request of HTTP/],
    [400, new Uint8Array([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), /TLS/],
    [431, `GET / HTTP/1.1\r\nhost: a\r\n${headers(8)}\r\n`, /16384 bytes/],
    [431, `GET /${'a'.repeat(40_000)} HTTP/1.1\r\nhost: a\r\n\r\n`, /16384 bytes/],
    [431, `GET / HTTP/1.1\r\nhost: a\r\n${headers(100)}\r\n`, /leave out cookies/],
    [400, 'GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n', /Host/],
    [417, 'GET /healthz HTTP/1.1\r\nhost: a\r\nexpect: tea\r\n\r\n', /Expect: tea/],
  ])('is answered %i with a problem document', async (status, bytes, detail) => {
    const answer = await answerTo(bytes);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head.toLowerCase()).toContain('content-type: application/problem+json');
    expect(head.toLowerCase()).toContain('connection: close');
    const problem = problemSchema.strict().parse(JSON.parse(body));
    expect(problem).toMatchObject({ status, detail: expect.stringMatching(detail) });
  });

  it('spoils no answer that has begun', async () => {
    const answer = await answerTo('GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n', 'nonsense\r\n\r\n');
    const statuses = [...answer.matchAll(/(^|\})HTTP\/1\.1 (\d+)/g)].map(([, , status]) => status);
    // The connection ends with the first one, or a whole second one follows.
    expect([['200'], ['200', '400'], ['400']]).toContainEqual(statuses);
    expect(answer.match(/HTTP\/1\.1 \d/g)).toHaveLength(statuses.length);
  });

  it.each(['silent', 'too slow', 'too many', 'too much'] as const)(
    'says what to do when it is cut: %s',
    (cut) => {
      const problem = problemOfClient(slowRequest(cut));
      expect(problem).toMatchObject({ statusCode: 408, code: 'timed_out' });
      expect(problem?.message).toContain('send it again');
    },
  );

  it('leaves a connection alone that is gone', () => {
    expect(problemOfClient(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))).toBeNull();
  });
});

describe('the document', () => {
  const operationsSchema = z.object({
    paths: z.record(
      z.string(),
      z.record(z.string(), z.looseObject({ responses: z.record(z.string(), z.any()) })),
    ),
  });

  it('has what every request, and every one with a body, can be answered with', async () => {
    const { app } = await createTestGateway();
    const { paths } = operationsSchema.parse(openApiDocument(app));
    for (const methods of Object.values(paths)) {
      for (const [method, { responses }] of Object.entries(methods)) {
        const wanted = ['400', '408', '417', '431', ...(method === 'get' ? [] : ['413', '415'])];
        expect(Object.keys(responses)).toEqual(expect.arrayContaining(wanted));
      }
    }
  });

  it.each([
    ['PUT', '/api/v1/chaos', 413],
    ['DELETE', '/api/v1/agents/a', 413],
    ['POST', '/telemetry', 413],
  ] as const)('has the answer of %s %s to a body that is too large', async (method, url, status) => {
    const { app } = await createTestGateway({ settings: { limits: { bodyBytes: 1024 } } });
    const answer = await ask(app, url, { method, body: JSON.stringify({ mode: 'x'.repeat(2000) }) });
    expect([answer.status, answer.problem().status]).toEqual([status, status]);
  });
});
