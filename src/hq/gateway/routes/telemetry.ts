/** Deliveries over HTTP: `POST /telemetry` and `POST /api/telemetry/snapshot`. */
import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { firstValueFrom } from 'rxjs';
import { z } from 'zod';
import { unlessInexact } from '../../http/exact-json.ts';
import { fieldErrors } from '../../http/field-errors.ts';
import { traceParent } from '../../http/trace-parent.ts';
import { aheadOfClock } from '../../ingest/http/clock-check.ts';
import { createDeliver } from '../../ingest/http/deliver.ts';
import { flatSample, flatSchema, flatSnapshotSchema } from '../../ingest/http/flat-snapshot.ts';
import { invalidBody, type ReadBody, readRecords } from '../../ingest/http/read-records.ts';
import { createSampleBuilder } from '../../ingest/http/sample-builder.ts';
import { telemetryBodySchema } from '../../ingest/http/telemetry-record.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

/** The same for the same ids in any order. */
const digestOf = (ids: readonly string[]) =>
  createHash('sha256')
    .update([...ids].sort().join(' '))
    .digest('hex');

/** Of one delivery, in its log line. */
const MAX_LOGGED_IDS = 10;

const receiptSchema = z
  .object({
    accepted: z.int().describe('samples that are now durable because of this delivery; 0 for a repeated one'),
    duplicate: z.boolean().describe('whether the delivery had been stored before'),
    expired: z.int().optional().describe('records that had expired and are not stored. Absent: none'),
  })
  .meta({ id: 'DeliveryReceipt' });

const headersSchema = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters')
    .optional()
    .describe(
      'names the delivery, so that its repetition is stored once; the same key with another body is refused; default: the `messageId`s, else SHA-256 of the body',
    ),
  traceparent: z.string().optional().describe('of W3C Trace Context; it is in the log line of the delivery'),
});

/** The bodies are parsed by hand, for errors that name the field of the record that is wrong. */
const allButBody: typeof validatorCompiler = (route) =>
  route.httpPart === 'body' ? (value: unknown) => ({ value }) : validatorCompiler(route);

const common = { config: { role: 'agent', affectedByChaos: true } } as const;
const responses = { 202: receiptSchema, ...problemResponses(400, 401, 403, 413, 415, 422, 429, 503) };

/** Needs an encapsulated `app`: it sets how that one validates. */
export function telemetryRoutes(app: GatewayApp, context: RouteContext): void {
  const { clock, config, emit, ingest, store, turns } = context;
  app.setValidatorCompiler(allButBody);
  const deliver = createDeliver({ ingest, store, clock });
  const builder = createSampleBuilder(clock.bootId);
  const snapshotSchema = flatSchema(clock.bootId);
  const latestTs = () => clock.now() + config.limits.maxClockAheadMs;

  const receive = async (
    endpoint: string,
    request: FastifyRequest,
    { samples, expired, messageIds }: ReadBody,
  ) => {
    const key = request.headers['idempotency-key'];
    const identity =
      typeof key === 'string'
        ? `${endpoint} key ${key}`
        : messageIds !== null
          ? `${endpoint} messages ${digestOf(messageIds)}`
          : `${endpoint} content ${request.contentDigest}`;
    const agents = [...samples].map(([agent, ofAgent]) => ({ agent, samples: ofAgent }));
    const delivery = { agents, identity, contentDigest: request.contentDigest };
    const receipt =
      agents.length === 0 ? { accepted: 0, duplicate: false } : await firstValueFrom(deliver(delivery));
    const trace = traceParent(request.headers.traceparent);
    emit({
      ...{ type: 'http_delivery' as const, endpoint, ...receipt, expired },
      ...(trace !== null && trace),
      ...(messageIds !== null && { messageIds: messageIds.slice(0, MAX_LOGGED_IDS) }),
    });
    return expired === 0 ? receipt : { ...receipt, expired };
  };

  app.post(
    '/telemetry',
    {
      ...common,
      schema: {
        operationId: 'deliverRecords',
        summary: 'Deliver records of any agents',
        description:
          'One record, an array of records, or NDJSON with a record a line. All or nothing: one invalid record refuses them all. The answer comes once every sample is durable.',
        tags: ['delivery'],
        consumes: ['application/json', 'application/x-ndjson'],
        headers: headersSchema,
        body: telemetryBodySchema,
        response: responses,
      },
    },
    async (request, reply) => {
      const { recordsPerRequest: maxRecords } = config.limits;
      const read = () =>
        readRecords(request.body, {
          ...{ builder, mono: clock.mono(), latestTs: latestTs(), maxRecords, now: clock.now() },
        });
      const body = await firstValueFrom(turns.run(read));
      return reply.code(202).send(await receive('/telemetry', request, body));
    },
  );

  app.post(
    '/api/telemetry/snapshot',
    {
      ...common,
      schema: {
        operationId: 'deliverSnapshot',
        summary: 'Deliver a flat snapshot of one machine',
        description:
          'Becomes one sample of OpenTelemetry series: percent become ratios (unit 1), MB and GB (binary) become bytes, Mbps become bit/s. The answer comes once the sample is durable.',
        tags: ['delivery'],
        headers: headersSchema,
        body: flatSnapshotSchema,
        response: responses,
      },
    },
    async (request, reply) => {
      const parsed = flatSnapshotSchema.safeParse(request.body, { error: unlessInexact(undefined) });
      if (!parsed.success) throw invalidBody(fieldErrors(parsed.error.issues));
      const ahead = aheadOfClock(parsed.data.timestamp, latestTs());
      if (ahead !== null) throw invalidBody([{ field: 'timestamp', message: ahead }]);
      const sample = flatSample(parsed.data, snapshotSchema, clock.mono());
      const { node_id: agent, messageId, expiresAt } = parsed.data;
      const isExpired = expiresAt !== undefined && expiresAt <= clock.now();
      const body = {
        samples: isExpired ? new Map() : new Map([[agent, [sample]]]),
        expired: isExpired ? 1 : 0,
        messageIds: messageId === undefined ? null : [messageId],
      };
      return reply.code(202).send(await receive('/api/telemetry/snapshot', request, body));
    },
  );
}
