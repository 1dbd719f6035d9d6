/**
 * What machines that look after HQ ask for: `/healthz`, `/readyz`, `/metrics`, `/openapi.json`. Open to everybody,
 * never spoiled by chaos.
 */
import { z } from 'zod';
import { hqIdentitySchema } from '../../../protocol/events.ts';
import { LOG_ID } from '../../log-life.ts';
import { keepText } from '../kept-text.ts';
import { openApiDocument } from '../openapi.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

const healthSchema = z
  .object({
    status: z.literal('ok'),
    version: z.string(),
    hq: hqIdentitySchema
      .optional()
      .describe('which HQ this is: the same on every way to it. Absent: it could not be kept'),
    log: z
      .string()
      .regex(LOG_ID)
      .optional()
      .describe(
        'which life of the log of arrivals: another one after a backup was restored. Absent: as above',
      ),
  })
  .meta({ id: 'Health' });
const readinessSchema = z
  .object({ status: z.enum(['ready', 'not ready']), reasons: z.array(z.string()) })
  .meta({ id: 'Readiness' });

/** What is long to make may be asked for so often by one address, by itself. */
const LONG_TO_MAKE = { max: 600, timeWindow: 60_000 };

export function operationRoutes(
  app: GatewayApp,
  { registry, unreadiness, version, clock, identity = null, log = null }: RouteContext,
): void {
  const metrics = keepText(clock, () => registry.metrics());
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
    async () => ({
      status: 'ok' as const,
      version,
      ...(identity === null ? {} : { hq: identity }),
      ...(log === null ? {} : { log }),
    }),
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
      config: { rateLimit: LONG_TO_MAKE },
      schema: {
        operationId: 'getMetrics',
        summary: 'Metrics in the text format of Prometheus',
        description: 'Their names begin with `holdfast_`; units are base units, counters end in `_total`.',
        tags: ['operations'],
        response: {
          200: { content: { 'text/plain': { schema: z.string() } } },
          ...problemResponses(429),
        },
      },
    },
    async (_request, reply) => {
      return reply
        .type(registry.contentType)
        .serializer(String)
        .send(await metrics());
    },
  );

  app.get(
    '/openapi.json',
    {
      config: { rateLimit: LONG_TO_MAKE },
      schema: {
        operationId: 'getOpenApi',
        summary: 'This document',
        description: 'It is made from the schemas that requests are parsed with.',
        tags: ['operations'],
        response: {
          200: z.record(z.string(), z.unknown()).describe('OpenAPI 3.1'),
          ...problemResponses(429),
        },
      },
    },
    async () => openApiDocument(app),
  );
}
