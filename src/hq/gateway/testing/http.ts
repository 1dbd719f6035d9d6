/** Shorthands for tests of the HTTP API. */
import { z } from 'zod';
import { type ProblemDocument, problemSchema } from '../../http/problem.ts';
import { openApiDocument } from '../openapi.ts';
import type { GatewayApp } from '../routes/context.ts';
import { answerCheck } from './answer-check.ts';

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly json: () => unknown;
  /** The problem document; throws when the answer is none. */
  readonly problem: () => ProblemDocument;
  /** Names of the fields that the problem lists. */
  readonly fields: () => string[];
};

export type Ask = {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH' | 'HEAD' | 'OPTIONS';
  readonly headers?: Readonly<Record<string, string>>;
  /** Text or bytes go as they are, anything else as JSON. */
  readonly body?: unknown;
};

/** Asks; throws where the answer is not as the OpenAPI document says. */
export async function ask(
  app: GatewayApp,
  url: string,
  { method = 'GET', headers = {}, body }: Ask = {},
): Promise<Answer> {
  const isRaw = typeof body === 'string' || Buffer.isBuffer(body);
  const response = await app.inject({
    method,
    url,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { payload: isRaw ? body : toJson(body) }),
  });
  answerCheck(openApiDocument(app))({
    ...{ method, url, status: response.statusCode, headers: response.headers, body: response.body },
  });
  const problem = () => {
    z.string().startsWith('application/problem+json').parse(response.headers['content-type']);
    const document = problemSchema.strict().parse(response.json());
    z.literal(response.statusCode).parse(document.status);
    return document;
  };
  return {
    status: response.statusCode,
    headers: response.headers,
    body: response.body,
    json: () => response.json(),
    problem,
    fields: () => (problem().errors ?? []).map(({ field }) => field),
  };
}

/** A bigint as an integer of so many digits, which JSON can have. */
function toJson(body: unknown): string {
  const text = JSON.stringify(body, (_, value) => (typeof value === 'bigint' ? `bigint:${value}` : value));
  return text.replaceAll(/"bigint:(-?\d+)"/g, '$1');
}

export const post = (app: GatewayApp, url: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(app, url, { method: 'POST', body, headers });

export const NDJSON = { 'content-type': 'application/x-ndjson' };
