import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask } from './testing/http.ts';
import { createTestGateway } from './testing/test-gateway.ts';

const media = z.object({
  content: z.record(z.string(), z.object({ schema: z.record(z.string(), z.unknown()) })),
});
const operation = z.object({
  operationId: z.string(),
  summary: z.string(),
  tags: z.array(z.string()).min(1),
  parameters: z
    .array(
      z.object({
        name: z.string(),
        in: z.enum(['query', 'path', 'header']),
        schema: z.unknown(),
        required: z.boolean().optional(),
      }),
    )
    .default([]),
  requestBody: media.optional(),
  responses: z
    .record(z.string().regex(/^[2-5]\d\d$/), media.partial().extend({ description: z.string().min(1) }))
    .refine((responses) =>
      Object.entries(responses).every(
        ([status, { content }]) => (status === '204') === (content === undefined),
      ),
    ),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
});
const documentSchema = z.object({
  openapi: z.string().regex(/^3\.1\.\d$/),
  info: z.object({ title: z.string(), version: z.string() }),
  paths: z.record(
    z.string().startsWith('/'),
    z.record(z.enum(['get', 'put', 'post']), operation).or(z.record(z.string(), operation)),
  ),
  components: z.object({
    schemas: z.record(z.string(), z.record(z.string(), z.unknown())),
    securitySchemes: z.record(z.string(), z.unknown()),
  }),
});

async function document() {
  const { app } = await createTestGateway();
  const raw = (await ask(app, '/openapi.json')).json();
  return { raw, parsed: documentSchema.parse(raw) };
}

describe('openapi.json', () => {
  it('describes every endpoint of the contract', async () => {
    const { parsed } = await document();
    const endpoints = Object.entries(parsed.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(endpoints.sort()).toEqual(
      [
        'GET /healthz',
        'GET /api/v1/agents/{id}/custody',
        'GET /api/v1/completeness',
        'GET /readyz',
        'GET /metrics',
        'GET /openapi.json',
        'POST /telemetry',
        'POST /api/telemetry/snapshot',
        'GET /api/v1/agents',
        'GET /api/v1/agents/{id}',
        'GET /api/v1/agents/{id}/samples',
        'GET /api/v1/agents/{id}/series',
        'GET /api/v1/agents/{id}/series/{series}',
        'GET /api/v1/agents/{id}/query',
        'GET /api/v1/agents/{id}/anomalies',
        'GET /api/v1/agents/{id}/ledger',
        'GET /api/v1/chaos',
        'GET /api/v1/backups',
        'POST /api/v1/backups',
        'PUT /api/v1/chaos',
        'GET /api/v1/refusals',
        'GET /api/v1/alarms',
        'DELETE /api/v1/agents/{id}',
        'GET /api/v1/query',
        'GET /api/v1/agents/{id}/arrivals',
        'GET /api/v1/agents/{id}/events',
        'GET /api/v1/gpus',
        'GET /api/v1/gpus/{gpu}/telemetry',
        'GET /api/v1/agents/{id}/labels',
        'PUT /api/v1/agents/{id}/labels',
      ].sort(),
    );
  });

  it('gives every operation a name of its own, a success and its path parameters', async () => {
    const { parsed } = await document();
    const operations = Object.entries(parsed.paths).flatMap(([path, methods]) =>
      Object.values(methods).map((one) => ({ path, ...one })),
    );
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const { path, parameters, responses } of operations) {
      expect(Object.keys(responses).some((status) => status.startsWith('2'))).toBe(true);
      const named = parameters.filter((one) => one.in === 'path').map(({ name }) => `{${name}}`);
      expect(named.sort()).toEqual((path.match(/\{[^}]+\}/g) ?? []).sort());
    }
  });

  it('answers every error with a problem document', async () => {
    const { parsed } = await document();
    for (const [path, methods] of Object.entries(parsed.paths)) {
      if (path === '/readyz') continue;
      for (const { responses } of Object.values(methods)) {
        for (const [status, response] of Object.entries(responses)) {
          if (Number(status) < 400) continue;
          expect(Object.keys(response.content ?? {})).toEqual(['application/problem+json']);
        }
      }
    }
  });

  it('refers only to what it holds, and holds nothing that it does not refer to', async () => {
    const { raw, parsed } = await document();
    const references = new Set(
      [...JSON.stringify(raw).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name),
    );
    expect([...references].sort()).toEqual(Object.keys(parsed.components.schemas).sort());
    const schemes = Object.values(parsed.paths).flatMap((methods) =>
      Object.values(methods).flatMap(({ security }) => (security ?? []).flatMap((one) => Object.keys(one))),
    );
    for (const scheme of schemes) expect(Object.keys(parsed.components.securitySchemes)).toContain(scheme);
  });

  it('says which fields of a snapshot are bounded, and how', async () => {
    const { parsed } = await document();
    const properties = z
      .object({ cpu_percent: z.unknown(), node_id: z.unknown() })
      .parse(parsed.components.schemas.FlatSnapshotInput?.properties);
    expect(JSON.stringify(properties.cpu_percent)).toContain('"maximum":100');
    expect(parsed.components.schemas.FlatSnapshotInput?.required).toEqual(['node_id', 'timestamp']);
  });
});
