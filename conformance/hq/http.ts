/** docs/protocol.md, section 10: deliveries over HTTP. */
import { problemSchema } from '../../src/hq/http/problem.ts';
import { expectThat } from '../report.ts';
import { type HqContext, randomHex } from './context.ts';

const DAY_MS = 86_400_000;

type Answer = { readonly status: number; readonly headers: Headers; readonly body: unknown };

export async function checkHttp(context: HqContext): Promise<void> {
  const { check, url, token } = context;
  const agent = `${context.agent}-http`;
  const send = async (body: unknown, headers: Record<string, string> = {}): Promise<Answer> => {
    const response = await fetch(`${url.replace(/\/$/, '')}/telemetry`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return {
      status: response.status,
      headers: response.headers,
      body: await response.json().catch(() => null),
    };
  };
  const record = (more: object = {}) => ({
    agent,
    timestamp: new Date().toISOString(),
    metrics: { [`m.${randomHex(2)}`]: 1 },
    ...more,
  });

  await check('http.delivery', 'MUST', 'HQ takes a record, and knows its repetition', async () => {
    const body = JSON.stringify(record());
    const [first, again] = [await send(body), await send(body)];
    expectThat(
      first.status === 202 && isReceipt(first.body, 1, false),
      '202 {accepted: 1, duplicate: false}',
      first,
    );
    expectThat(
      again.status === 202 && isReceipt(again.body, 0, true),
      '202 {accepted: 0, duplicate: true}',
      again,
    );
  });
  await check('http.ndjson', 'MUST', 'HQ takes NDJSON', async () => {
    const body = [record(), record()].map((one) => JSON.stringify(one)).join('\n');
    const answer = await send(body, { 'content-type': 'application/x-ndjson' });
    expectThat(answer.status === 202 && isReceipt(answer.body, 2, false), '202 {accepted: 2, …}', answer);
  });
  await check(
    'http.key-reused',
    'MUST',
    'HQ refuses another body under the same Idempotency-Key with 422',
    async () => {
      const key = { 'idempotency-key': randomHex(8) };
      await send(record(), key);
      const answer = await send(record({ timestamp: Date.now() - 5 }), key);
      expectProblem(answer, 422, 'idempotency_key_reused');
    },
  );
  const text = JSON.stringify(record({ metrics: { a: 'VALUE' } }));
  for (const [id, what, body, status, field, headers] of [
    ['json', 'what is not JSON', '{"agent":', 400, null, {}],
    [
      'type',
      'another content type',
      'a=1',
      415,
      null,
      { 'content-type': 'application/x-www-form-urlencoded' },
    ],
    ['agent', 'a record without agent', record({ agent: undefined }), 422, 'agent', {}],
    ['empty', 'a record without metrics', record({ metrics: {} }), 422, 'metrics', {}],
    ['integer', 'an integer of 2^53 + 1', text.replace('"VALUE"', '9007199254740993'), 422, 'metrics', {}],
    ['future', 'a time a year ahead', record({ timestamp: Date.now() + 365 * DAY_MS }), 422, 'timestamp', {}],
    ['micros', 'microseconds taken for ms', record({ timestamp: Date.now() * 1000 }), 422, 'timestamp', {}],
    [
      'control',
      'a metric with a control character',
      record({ metrics: { 'a\u0007': 1 } }),
      422,
      'metrics',
      {},
    ],
  ] as const) {
    const names = field === null ? '' : `, and names ${field}`;
    await check(`http.${id}`, 'MUST', `HQ answers ${what} with ${status}${names}`, async () => {
      const answer = await send(body, headers);
      const problem = expectProblem(answer, status);
      const named = field === null || (problem.errors ?? []).some((one) => one.field.startsWith(field));
      expectThat(named, `errors that name ${field}`, problem);
    });
  }
}

function isReceipt(body: unknown, accepted: number, duplicate: boolean): boolean {
  const found = body as { accepted?: unknown; duplicate?: unknown } | null;
  return found?.accepted === accepted && found.duplicate === duplicate;
}

function expectProblem({ status, headers, body }: Answer, wanted: number, code?: string) {
  const type = headers.get('content-type') ?? 'none';
  const problem = problemSchema.safeParse(body);
  expectThat(status === wanted, `HTTP ${wanted}`, `HTTP ${status} ${JSON.stringify(body)}`);
  expectThat(type.startsWith('application/problem+json'), 'application/problem+json', type);
  expectThat(problem.success && problem.data.status === status, 'a problem document of RFC 9457', body);
  if (code !== undefined)
    expectThat(
      problem.data.type === `urn:holdfast:problem:${code}`,
      `urn:holdfast:problem:${code}`,
      problem.data,
    );
  return problem.data;
}
