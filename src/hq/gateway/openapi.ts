/** The OpenAPI document, made from the zod schemas of the routes. */
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { completeDocument, TAGS } from './openapi-document.ts';

/** Call before routes are added; `app.swagger()` then gives the document. */
export async function registerOpenApi(app: FastifyInstance, version: string): Promise<void> {
  const options: FastifyDynamicSwaggerOptions = {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Holdfast HQ',
        version,
        description:
          'Errors are RFC 9457 problem documents. Times in answers are epoch ms; in queries RFC 3339 or epoch ms. Lists are paged by `limit` and an opaque `cursor`. GET addresses answer HEAD, too; other methods are answered 405 with `Allow`. A slash at the end of an address is ignored. Bodies may be compressed. `/api/v1/ws/telemetry?agent&label&series` is a WebSocket, which OpenAPI cannot describe: samples as they are stored, in messages `{"type":"samples","skipped","samples":[{"agent","source","ts","arrivalTs","values"}]}`.',
        contact: { name: 'The maintainers of Holdfast' },
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      tags: TAGS,
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

const documents = new WeakMap<FastifyInstance, Record<string, unknown>>();

/** The whole document, made once from what the routes say of themselves: to be called when all of them are there. */
export function openApiDocument(app: FastifyInstance): Record<string, unknown> {
  const known = documents.get(app);
  if (known !== undefined) return known;
  // Frozen: its text is kept, see server.ts.
  const document = Object.freeze(completeDocument(app.swagger()));
  documents.set(app, document);
  return document;
}
