import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { temporaryFolder } from '../../../tests/support/temporary.ts';
import { chaosSchema } from '../../protocol/api.ts';
import { type Ask, ask, post } from './testing/http.ts';
import { createTestGateway } from './testing/test-gateway.ts';

const RECORD = { agent: 'a', timestamp: 1_700_000_000_000, metrics: { x: 1 } };
const READ = [
  '/api/v1/agents',
  '/api/v1/agents/a',
  '/api/v1/agents/a/samples',
  '/api/v1/agents/a/series',
  '/api/v1/agents/a/series/x',
  '/api/v1/agents/a/query?series=x',
  '/api/v1/agents/a/anomalies',
  '/api/v1/agents/a/ledger',
  '/api/v1/chaos',
];
const OPEN = ['/healthz', '/readyz', '/metrics', '/openapi.json', '/'];
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('who may do what', () => {
  const settings = { agentToken: 'agents only', operatorToken: 'people only' };
  const cases: { url: string; role: 'agent' | 'operator'; request: Ask }[] = [
    ...READ.map((url) => ({ url, role: 'operator' as const, request: {} })),
    { url: '/api/v1/chaos', role: 'operator', request: { method: 'PUT', body: { mode: 'off' } } },
    { url: '/telemetry', role: 'agent', request: { method: 'POST', body: RECORD } },
    {
      url: '/api/telemetry/snapshot',
      role: 'agent',
      request: { method: 'POST', body: { node_id: 'a', timestamp: 5, cpu_percent: 1 } },
    },
  ];

  it.each(cases)('$request.method $url is for the $role alone', async ({ url, role, request }) => {
    // Tokens must not hold spaces to travel in a header.
    const tokens = { agentToken: 'agents-only', operatorToken: 'people-only' };
    const { app } = await createTestGateway({ settings: tokens, chaos: 'off' });
    await post(app, '/telemetry', RECORD, bearer('agents-only'));
    const right = role === 'agent' ? 'agents-only' : 'people-only';
    const wrong = role === 'agent' ? 'people-only' : 'agents-only';
    for (const headers of [{}, bearer(wrong), bearer(''), bearer(`${right}x`), { authorization: right }]) {
      const refused = await ask(app, url, { ...request, headers });
      expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, 'Bearer realm="holdfast"']);
      expect(refused.problem().detail).toContain(`${role} token`);
    }
    const let_in = await ask(app, url, { ...request, headers: { ...bearer(right), host: 'any.example' } });
    expect([200, 202]).toContain(let_in.status);
  });

  it.each(OPEN)('%s is open to everybody', async (url) => {
    const { app } = await createTestGateway({ settings });
    expect((await ask(app, url, { headers: { host: 'any.example' } })).status).toBe(200);
  });

  it('HEAD is guarded as GET is', async () => {
    const { app } = await createTestGateway({ settings });
    expect((await ask(app, '/api/v1/agents', { method: 'HEAD' })).status).toBe(401);
  });

  it('a refusal comes before the body is looked at', async () => {
    const { app } = await createTestGateway({ settings });
    expect((await post(app, '/telemetry', '{')).status).toBe(401);
  });

  it.each(READ)('without a token %s is not read under a foreign name', async (url) => {
    const { app } = await createTestGateway();
    await post(app, '/telemetry', RECORD);
    expect((await ask(app, url, { headers: { host: 'evil.example' } })).status).toBe(403);
    expect((await ask(app, url, { headers: { host: '127.0.0.1:8000' } })).status).toBe(200);
  });

  it.each(cases.filter(({ request }) => request.method !== undefined))(
    'without a token $url is not written by pages of other sites',
    async ({ url, request }) => {
      const { app } = await createTestGateway({ chaos: 'off' });
      const from = (origin: string) =>
        ask(app, url, { ...request, headers: { host: 'localhost:8000', origin } });
      for (const origin of ['http://evil.example', 'null', 'http://localhost:9000']) {
        expect((await from(origin)).status).toBe(403);
      }
      expect([200, 202]).toContain((await from('http://localhost:8000')).status);
    },
  );

  it('a form of another site cannot write: it can send no JSON', async () => {
    const { app } = await createTestGateway({ chaos: 'off' });
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      const request = { method: 'PUT', body: '{"mode":"down"}', headers: { 'content-type': type } } as const;
      expect((await ask(app, '/api/v1/chaos', request)).status).toBe(415);
    }
  });

  it('other origins get no CORS headers unless they are allowed', async () => {
    const origin = 'https://wall.example';
    const closed = await createTestGateway({ settings });
    expect(
      (await ask(closed.app, '/healthz', { headers: { origin } })).headers['access-control-allow-origin'],
    ).toBe(undefined);
    const open = await createTestGateway({ settings: { ...settings, corsOrigins: [origin] } });
    expect(
      (await ask(open.app, '/healthz', { headers: { origin } })).headers['access-control-allow-origin'],
    ).toBe(origin);
    const other = await ask(open.app, '/healthz', { headers: { origin: 'https://evil.example' } });
    expect(other.headers['access-control-allow-origin']).not.toBe('https://evil.example');
  });
});

describe('chaos over HTTP', () => {
  it('is set and read', async () => {
    const { app, chaos } = await createTestGateway({ chaos: 'off' });
    const set = await ask(app, '/api/v1/chaos', { method: 'PUT', body: { mode: 'slow' } });
    expect(chaosSchema.parse(set.json())).toMatchObject({ mode: 'slow', effect: 'slow', enabled: true });
    expect(chaosSchema.parse((await ask(app, '/api/v1/chaos')).json())).toEqual(chaos.current());
  });

  it('is refused when it is not enabled', async () => {
    const { app, chaos } = await createTestGateway();
    const answer = await ask(app, '/api/v1/chaos', { method: 'PUT', body: { mode: 'down' } });
    expect([answer.status, answer.problem().type]).toEqual([409, 'urn:holdfast:problem:chaos_disabled']);
    expect(chaos.current()).toMatchObject({ mode: 'off', effect: 'none', enabled: false });
  });

  it.each([
    [{ mode: 'wild' }, 'mode'],
    [{}, 'mode'],
    [{ mode: null }, 'mode'],
    [[], 'request'],
    [5, 'request'],
  ])('refuses %o', async (body, field) => {
    const { app } = await createTestGateway({ chaos: 'off' });
    const answer = await ask(app, '/api/v1/chaos', { method: 'PUT', body });
    expect([answer.status, answer.fields()]).toEqual([422, [field]]);
  });

  it('leaves the API for people and machines alone while it is down', async () => {
    const { app } = await createTestGateway({ chaos: 'down' });
    for (const url of ['/healthz', '/readyz', '/metrics', '/api/v1/agents', '/api/v1/chaos']) {
      expect((await ask(app, url)).status).toBe(200);
    }
  });
});

describe('health', () => {
  it('is ok while the process lives, and ready when HQ takes deliveries', async () => {
    const { app } = await createTestGateway();
    expect((await ask(app, '/healthz')).json()).toEqual({ status: 'ok', version: '0.0.0' });
    expect((await ask(app, '/readyz')).json()).toEqual({ status: 'ready', reasons: [] });
  });

  it('says which HQ it is', async () => {
    const log = '0123456789abcdef';
    const { app } = await createTestGateway({ identity: 'abc', log });
    expect((await ask(app, '/healthz')).json()).toEqual({ status: 'ok', version: '0.0.0', hq: 'abc', log });
  });

  it('says why HQ is not ready', async () => {
    const { app } = await createTestGateway({ reasons: ['HQ is stopping'] });
    const answer = await ask(app, '/readyz');
    expect([answer.status, answer.json()]).toEqual([
      503,
      { status: 'not ready', reasons: ['HQ is stopping'] },
    ]);
    expect((await ask(app, '/healthz')).status).toBe(200);
  });
});

describe('paths and methods that do not exist', () => {
  it.each([
    '/nope',
    '/api/v1',
    '/api/v1/agents/a/b/c',
    '/api/v2/agents',
    '/assets/nope.js',
    '/.env',
    '/..%2f..%2fetc/passwd',
    '/%00',
  ])('%s gives 404', async (url) => {
    const { app } = await createTestGateway();
    const answer = await ask(app, url);
    expect([answer.status, answer.problem().instance]).toEqual([404, url]);
  });

  it.each([
    ['GET', '/telemetry', 'POST'],
    ['POST', '/healthz', 'GET, HEAD'],
    ['DELETE', '/api/v1/chaos', 'GET, HEAD, PUT'],
    ['PUT', '/api/v1/agents/a/samples', 'GET, HEAD'],
  ] as const)('%s %s gives 405 and says %s', async (method, url, allow) => {
    const { app } = await createTestGateway();
    const answer = await ask(app, url, { method });
    expect([answer.status, answer.headers.allow]).toEqual([405, allow]);
    for (const body of ['', '{', 'x'.repeat(5 * 1024 * 1024)]) {
      const headers = { 'content-type': 'application/json' };
      expect((await ask(app, url, { method, headers, body })).status, 'whatever it holds').toBe(405);
    }
    expect(answer.problem().type).toBe('urn:holdfast:problem:method_not_allowed');
  });

  it('a malformed address gives 400', async () => {
    const { app } = await createTestGateway();
    expect((await ask(app, '/%zz')).problem().status).toBe(400);
  });
});

describe('the dashboard as files', () => {
  function built(): string {
    const dir = temporaryFolder();
    mkdirSync(join(dir, 'assets'));
    writeFileSync(join(dir, 'index.html'), '<!doctype html><title>The dashboard</title>');
    writeFileSync(join(dir, 'assets', 'app-1a2b.js'), 'export {};');
    writeFileSync(join(dir, '.secret'), 'no');
    return dir;
  }
  const html = { accept: 'text/html,*/*' };

  it('is served with a policy that lets it talk to HQ alone', async () => {
    const { app } = await createTestGateway({ settings: { dashboard: { dir: built() } } });
    const page = await ask(app, '/', { headers: html });
    expect([page.status, page.body]).toEqual([200, expect.stringContaining('The dashboard')]);
    const policy = z.string().parse(page.headers['content-security-policy']);
    expect(policy).toContain("default-src 'self'");
    expect(policy).toMatch(/connect-src 'self' ws:\/\/localhost(:\d+)? wss:\/\/localhost(:\d+)?;/);
    expect(policy).not.toContain('upgrade-insecure-requests');
    expect(page.headers['x-content-type-options']).toBe('nosniff');
  });

  it('may be cached for ever below assets, and never itself', async () => {
    const { app } = await createTestGateway({ settings: { dashboard: { dir: built() } } });
    const script = await ask(app, '/assets/app-1a2b.js');
    expect([script.status, script.headers['cache-control']]).toEqual([
      200,
      expect.stringContaining('immutable'),
    ]);
    expect(script.headers['content-type']).toContain('javascript');
    for (const url of ['/', '/index.html']) {
      expect((await ask(app, url, { headers: html })).headers['cache-control']).toBe('no-cache');
    }
  });

  it('leads a person who asks for another page to it, but not a program, nor below /api', async () => {
    const { app } = await createTestGateway({ settings: { dashboard: { dir: built() } } });
    const led = await ask(app, '/agents/a', { headers: html });
    expect([led.status, led.headers.location]).toEqual([302, '/']);
    for (const url of ['/assets/nope.js', '/api/nope', '/.secret']) {
      expect((await ask(app, url, { headers: html })).status).toBe(url === '/.secret' ? 403 : 404);
    }
    expect((await ask(app, '/agents/a')).status).toBe(404);
  });

  it('that is not built says how to build it', async () => {
    const { app } = await createTestGateway();
    expect((await ask(app, '/')).body).toContain('npm run build');
  });
});

describe('what cannot be used', () => {
  it.each([
    ['/api/v1/agents/a/samples?limit=abc', {}, 'limit: must be a number, not NaN'],
    ['/api/v1/agents/a/query?series=x&step=-1', {}, 'step: must be a duration such as 10s'],
    ['/api/v1/chaos', { method: 'PUT', body: { mode: 'wild' } }, 'mode: expected one of "off"|"random"'],
    ['/telemetry', { method: 'POST', body: { ...RECORD, agent: 5 } }, 'agent: expected a text, got a number'],
    ['/telemetry', { method: 'POST', body: [{ ...RECORD, metrics: 5 }] }, '[0].metrics: '],
    ['/api/telemetry/snapshot', { method: 'POST', body: { node_id: 'a' } }, 'timestamp: '],
  ] as const)('is told in plain words: %s %o', async (url, request, detail) => {
    const { app } = await createTestGateway({ chaos: 'off' });
    const answer = await ask(app, url, request);
    expect(answer.problem().detail).toContain(detail);
    expect(JSON.stringify(answer.problem())).not.toMatch(/Invalid|received|undefined/);
  });
});

it('answers metrics and its document a bounded number of times a minute, each by itself', async () => {
  const { app } = await createTestGateway({ settings: { limits: { requestsPerMinute: 1 } } });
  const statuses = async (url: string, count: number) => {
    const answers = await Promise.all(Array.from({ length: count }, () => app.inject(url)));
    return answers.map(({ statusCode }) => statusCode);
  };
  for (const url of ['/metrics', '/openapi.json']) {
    expect(new Set(await statuses(url, 600))).toEqual(new Set([200]));
    const refused = await app.inject(url);
    expect([refused.statusCode, refused.json().type]).toEqual([429, 'urn:holdfast:problem:rate_limited']);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  }
  expect(new Set(await statuses('/healthz', 700)), 'never limited').toEqual(new Set([200]));
});
