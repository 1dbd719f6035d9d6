/** The OpenAPI document, made from the zod schemas of the routes. */
import { STATUS_CODES } from 'node:http';
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';

const componentsSchema = z.looseObject({
  components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
});
const PLACEHOLDER = 'Default Response';

/** Call before routes are added; `app.swagger()` then gives the document. */
export async function registerOpenApi(app: FastifyInstance, version: string): Promise<void> {
  const options: FastifyDynamicSwaggerOptions = {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Holdfast HQ',
        version,
        description:
          'Errors are RFC 9457 problem documents. Times in answers are epoch ms; in queries RFC 3339 or epoch ms. Lists are paged by `limit` and an opaque `cursor`.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      components: {
        securitySchemes: {
          agentToken: {
            type: 'http',
            scheme: 'bearer',
            description: 'for deliveries, when HQ has an agent token',
          },
          operatorToken: {
            type: 'http',
            scheme: 'bearer',
            description: 'for reading and for chaos, when HQ has an operator token',
          },
        },
      },
    },
    transform: (document) => {
      const { role } = document.route.config ?? {};
      const { schema, url } = jsonSchemaTransform(document);
      return {
        schema: role === undefined ? schema : { ...schema, security: [{ [`${role}Token`]: [] }] },
        url,
      };
    },
    transformObject: jsonSchemaTransformObject,
  };
  await app.register(swagger, options);
}

/** The document without components that nothing refers to, and with a description for every response. */
export function openApiDocument(app: FastifyInstance): Record<string, unknown> {
  const document = componentsSchema.parse(describeResponses(app.swagger()));
  const { schemas } = document.components;
  for (;;) {
    const text = JSON.stringify(document);
    const unused = Object.keys(schemas).filter((name) => !text.includes(`"#/components/schemas/${name}"`));
    if (unused.length === 0) return document;
    for (const name of unused) delete schemas[name];
  }
}

/** A copy in which the descriptions that the generator makes up are the names of their statuses. */
function describeResponses(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((one) => describeResponses(one));
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(
    Object.entries(value).map(([name, child]) => [name, describeResponses(child, name)]),
  );
  return copy.description === PLACEHOLDER ? { ...copy, description: STATUS_CODES[key] ?? key } : copy;
}
