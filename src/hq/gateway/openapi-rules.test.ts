/** The OpenAPI document by the rules that others have for such documents, and answers held to it. */
import { createConfig, lintFromString } from '@redocly/openapi-core';
import spectralCore from '@stoplight/spectral-core';
import spectralRulesets from '@stoplight/spectral-rulesets';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answerCheck } from './testing/answer-check.ts';
import { ask, post } from './testing/http.ts';
import { createTestGateway } from './testing/test-gateway.ts';

async function document() {
  const { app } = await createTestGateway();
  const text = (await ask(app, '/openapi.json')).body;
  return { text, parsed: z.record(z.string(), z.unknown()).parse(JSON.parse(text)) };
}

/** The operation, as loosely as a test needs it. */
const operationSchema = z.looseObject({
  paths: z.record(
    z.string(),
    z.record(z.string(), z.looseObject({ parameters: z.array(z.unknown()).default([]) })),
  ),
});

describe('the rules for OpenAPI documents', () => {
  it('of Redocly have nothing against it', async () => {
    const config = await createConfig({ extends: ['recommended'] });
    const problems = await lintFromString({ source: (await document()).text, config });
    expect(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([]);
  });

  it('of Spectral have nothing against it', async () => {
    const spectral = new spectralCore.Spectral();
    // Its type asks for what it may leave out.
    spectral.setRuleset({ extends: [[{ extends: [], ...spectralRulesets.oas }, 'recommended']] });
    const results = await spectral.run((await document()).text);
    expect(results.map(({ code, message, path }) => `${code}: ${message} ${path.join('/')}`)).toEqual([]);
  });
});

describe('what the routes do not say of themselves', () => {
  it('is there: encodings, the other names of fields, 405 and the headers of errors', async () => {
    const { text, parsed } = await document();
    const { paths } = operationSchema.parse(parsed);
    for (const path of ['/telemetry', '/api/telemetry/snapshot'])
      expect(paths[path]?.post?.parameters).toContainEqual(
        expect.objectContaining({
          name: 'Content-Encoding',
          schema: { type: 'string', enum: ['gzip', 'x-gzip', 'deflate', 'br', 'zstd', 'identity'] },
        }),
      );
    expect(text).toMatch(/"anyOf":\[\{[^[]*"required":\["agent"\]\},\{[^[]*"required":\["node_id"\]\}\]/);
    expect(JSON.stringify(paths['/api/v1/agents']?.get)).toContain('"Allow"');
    expect(JSON.stringify(paths['/api/v1/agents']?.get)).toContain('"Retry-After"');
    expect(JSON.stringify(paths['/api/v1/agents']?.get)).toContain('"WWW-Authenticate"');
  });

  it('is so', async () => {
    const { app } = await createTestGateway();
    const record = { node_id: 'a', ts: 1_790_000_000_000, values: { m: 1 } };
    expect((await post(app, '/telemetry', record)).status).toBe(202);
    expect((await post(app, '/telemetry/', record)).status).toBe(202);
    expect((await ask(app, '/api/v1/agents', { method: 'HEAD' })).status).toBe(200);
    const other = await ask(app, '/telemetry', { method: 'DELETE' });
    expect([other.status, other.headers.allow]).toEqual([405, 'POST']);
    expect((await ask(app, '/api/v1/agents')).headers).toHaveProperty('x-ratelimit-remaining');
  });
});

describe('an answer that is another than the document says', () => {
  const sound = {
    ...{ method: 'GET', url: '/healthz', status: 200, body: '{"status":"ok","version":"1"}' },
    headers: { 'content-type': 'application/json; charset=utf-8' },
  };
  it.each([
    ['a status', { status: 418 }],
    ['a type', { headers: { 'content-type': 'text/html' } }],
    ['a field that is missing', { body: '{"status":"ok"}' }],
    ['a field of another kind', { body: '{"status":"ok","version":1}' }],
    ['a field that nobody knows', { body: '{"status":"ok","version":"1","extra":1}' }],
    ['a method', { method: 'PUT' }],
    ['a body that is none', { method: 'DELETE', url: '/api/v1/agents/a', status: 204 }],
    ['a header that is missing', { url: '/api/v1/agents', status: 429, body: '{}' }],
  ])('is noticed: %s', async (_, wrong) => {
    const check = answerCheck((await document()).parsed);
    expect(() => check(sound)).not.toThrow();
    expect(() => check({ ...sound, ...wrong })).toThrow(`HTTP ${{ ...sound, ...wrong }.status}`);
  });

  it('is none of its business elsewhere', async () => {
    const check = answerCheck((await document()).parsed);
    expect(() =>
      check({ ...sound, url: '/assets/app.js', headers: { 'content-type': 'text/javascript' } }),
    ).not.toThrow();
  });
});
