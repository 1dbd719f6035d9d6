/**
 * What machines that look after HQ ask for: `/healthz`, `/readyz`, `/metrics`, `/openapi.json`. Open to everybody,
 * never spoiled by chaos.
 */
import { z } from 'zod';
import { hqIdentitySchema } from '../../../protocol/events.ts';
import { openApiDocument } from '../openapi.ts';
import type { GatewayApp, RouteContext } from './context.ts';

const healthSchema = z
  .object({
    status: z.literal('ok'),
    version: z.string(),
    hq: hqIdentitySchema
      .optional()
      .describe('which HQ this is: the same on every way to it. Absent: it could not be kept'),
  })
  .meta({ id: 'Health' });
const readinessSchema = z
  .object({ status: z.enum(['ready', 'not ready']), reasons: z.array(z.string()) })
  .meta({ id: 'Readiness' });

export function operationRoutes(
  app: GatewayApp,
  { registry, unreadiness, version, identity = null }: RouteContext,
): void {
  app.get(
    '/healthz',
    {
      schema: {
        operationId: 'getHealth',
        summary: 'Whether the process lives',
        description: 'Answers while the process does: what decides about a restart.',
        tags: ['operations'],
        response: { 200: healthSchema },
      },
    },
    async () => ({ status: 'ok' as const, version, ...(identity === null ? {} : { hq: identity }) }),
  );

  app.get(
    '/readyz',
    {
      schema: {
        operationId: 'getReadiness',
        summary: 'Whether HQ takes deliveries',
        description: '200 while HQ can serve and its last commit succeeded; else 503 with the reasons.',
        tags: ['operations'],
        response: { 200: readinessSchema, 503: readinessSchema },
      },
    },
    async (_request, reply) => {
      const reasons = [...unreadiness()];
      return reasons.length === 0
        ? reply.code(200).send({ status: 'ready', reasons })
        : reply.code(503).send({ status: 'not ready', reasons });
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        operationId: 'getMetrics',
        summary: 'Metrics in the text format of Prometheus',
        description: 'Their names begin with `holdfast_`; units are base units, counters end in `_total`.',
        tags: ['operations'],
        response: { 200: { content: { 'text/plain': { schema: z.string() } } } },
      },
    },
    async (_request, reply) => {
      const text = await registry.metrics();
      return reply.type(registry.contentType).serializer(String).send(text);
    },
  );

  app.get(
    '/openapi.json',
    {
      schema: {
        operationId: 'getOpenApi',
        summary: 'This document',
        description: 'It is made from the schemas that requests are parsed with.',
        tags: ['operations'],
        response: { 200: z.record(z.string(), z.unknown()).describe('OpenAPI 3.1') },
      },
    },
    async () => openApiDocument(app),
  );
}
