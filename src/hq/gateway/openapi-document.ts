/**
 * What the schemas of the routes do not say: errors and headers that every operation has, encodings of bodies, other
 * names of fields, tags, and who may ask.
 */
import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { RECORD_ALIASES } from '../ingest/http/telemetry-record.ts';
import { CONTENT_ENCODINGS } from './body.ts';

const PLACEHOLDER = 'Default Response';
const PROBLEM = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
const RECORD = 'TelemetryRecordInput';

export const TAGS = [
  { name: 'operations', description: 'For machines that look after HQ. Open to everybody.' },
  { name: 'delivery', description: 'Samples that come over HTTP, by programs that are no agents.' },
  { name: 'backups', description: 'Copies of what HQ stores.' },
  { name: 'agents', description: 'The agents that HQ knows, and those that it does not let in.' },
  { name: 'samples', description: 'What was measured, as it came.' },
  { name: 'series', description: 'What agents measure, and buckets of it.' },
  { name: 'gpus', description: 'GPUs that agents measure, and what was measured of them.' },
  { name: 'ledger', description: 'What became of every sample.' },
  { name: 'chaos', description: 'What HQ does to its own link, for tests and tours.' },
];

const headers = {
  allow: {
    required: true,
    description: 'methods that are possible here',
    schema: { type: 'string', examples: ['GET, HEAD'] },
  },
  retryAfter: {
    required: true,
    description: 'seconds after which to come back',
    schema: { type: 'integer', minimum: 0 },
  },
  authenticate: {
    required: true,
    description: 'how to show a token',
    schema: { type: 'string', examples: ['Bearer realm="holdfast"'] },
  },
};
const rateLimit = (description: string) => ({ description, schema: { type: 'integer', minimum: 0 } });
/** Of routes that are counted. */
const RATE_LIMITS = {
  'X-RateLimit-Limit': rateLimit('requests of this address a minute, at most'),
  'X-RateLimit-Remaining': rateLimit('how many of them are left'),
  'X-RateLimit-Reset': rateLimit('seconds until all are left again'),
};
const ENCODING_PARAMETER = {
  name: 'Content-Encoding',
  in: 'header',
  required: false,
  description:
    'how the body is compressed; its limit counts as sent and when inflated. Others are answered 415',
  schema: { type: 'string', enum: [...CONTENT_ENCODINGS, 'identity'] },
};

const responseSchema = z.looseObject({ content: z.record(z.string(), z.unknown()).optional() });
const operationSchema = z.looseObject({
  parameters: z.array(z.unknown()).optional(),
  requestBody: z.unknown().optional(),
  responses: z.record(z.string(), responseSchema),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
});
type Operation = z.infer<typeof operationSchema>;
const recordSchema = z.looseObject({
  properties: z.record(z.string(), z.unknown()),
  required: z.array(z.string()),
});
const documentSchema = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
  components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
});

/** The document of the generator, made whole, without components that nothing refers to. */
export function completeDocument(generated: unknown): Record<string, unknown> {
  const document = documentSchema.parse(mended(generated));
  for (const methods of Object.values(document.paths))
    for (const [method, operation] of Object.entries(methods))
      methods[method] = completeOperation(method, operation);
  const { schemas } = document.components;
  if (RECORD in schemas) schemas[RECORD] = withAliases(recordSchema.parse(schemas[RECORD]));
  for (;;) {
    const text = JSON.stringify(document);
    const unused = Object.keys(schemas).filter((name) => !text.includes(`"#/components/schemas/${name}"`));
    if (unused.length === 0) return document;
    for (const name of unused) delete schemas[name];
  }
}

/** What every request can be answered with before it comes to a route. */
const BEFORE_ROUTES = [400, 408, 417, 431];
/** And every one that may bring a body. */
const OF_BODIES = [413, 415];

function problemsOf(
  statuses: readonly number[],
  known: Operation['responses'],
): Record<number, { description: string; content: typeof PROBLEM }> {
  const missing = statuses.filter((status) => !(status in known));
  return Object.fromEntries(
    missing.map((status) => [status, { description: STATUS_CODES[status] ?? '', content: PROBLEM }]),
  );
}

function completeOperation(method: string, operation: Operation): Operation {
  const { parameters = [], requestBody, responses, security = [] } = operation;
  const all: Operation['responses'] = {
    ...responses,
    ...problemsOf(method === 'get' ? BEFORE_ROUTES : [...BEFORE_ROUTES, ...OF_BODIES], responses),
    405: { description: 'Method Not Allowed: of another method at this path', content: PROBLEM },
    500: { description: 'Internal Server Error', content: PROBLEM },
  };
  for (const [status, response] of Object.entries(all)) {
    const own =
      security.length === 0
        ? headersOf(status, response)
        : { ...headersOf(status, response), ...RATE_LIMITS };
    if (Object.keys(own).length > 0) all[status] = { ...response, headers: own };
  }
  return {
    ...operation,
    ...(requestBody === undefined ? {} : { parameters: [...parameters, ENCODING_PARAMETER] }),
    responses: all,
    // Without a token where HQ has none, and comes from loopback.
    security: security.length === 0 ? [] : [...security, {}],
  };
}

function headersOf(
  status: string,
  { content = {} }: z.infer<typeof responseSchema>,
): Record<string, unknown> {
  if (!('application/problem+json' in content)) return {};
  if (status === '401') return { 'WWW-Authenticate': headers.authenticate };
  if (status === '405') return { Allow: headers.allow };
  return status === '429' || status === '503' ? { 'Retry-After': headers.retryAfter } : {};
}

/** A field may be called otherwise, but one of its names must be there. */
function withAliases({ properties, required, ...schema }: z.infer<typeof recordSchema>): object {
  const aliases = Object.entries(RECORD_ALIASES);
  const renamed = aliases.map(([alias, field]) => [alias, properties[field]]);
  const names = (field: string) => [
    field,
    ...aliases.flatMap(([alias, of]) => (of === field ? [alias] : [])),
  ];
  return {
    ...schema,
    properties: { ...properties, ...Object.fromEntries(renamed) },
    allOf: required.map((field) => ({
      anyOf: names(field).map((name) => ({ properties: { [name]: {} }, required: [name] })),
    })),
  };
}

/**
 * A copy in which the descriptions that the generator makes up are the names of their statuses, and tuples say what
 * their items are.
 */
function mended(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((one) => mended(one));
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([name, child]) => [name, mended(child, name)]));
  if (copy.description === PLACEHOLDER) return { ...copy, description: STATUS_CODES[key] ?? key };
  const { prefixItems } = copy;
  // There are no items beyond, which not every tool takes `false` for.
  return Array.isArray(prefixItems) && copy.items === false ? { ...copy, items: prefixItems[0] } : copy;
}
