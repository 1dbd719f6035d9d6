/** Errors of the HTTP API as RFC 9457 problem documents. */
import { STATUS_CODES } from 'node:http';
import { z } from 'zod';

export const fieldErrorSchema = z.object({
  field: z.string().describe('what is wrong: a parameter, or a path into the body such as `[2].timestamp`'),
  message: z.string().describe('why, and what is expected'),
});
export type FieldError = z.infer<typeof fieldErrorSchema>;

/** One of several that a name may mean. */
const candidateSchema = z.object({
  gpu: z.string(),
  agent: z.string(),
  index: z.string().nullable(),
  host: z.string().nullable(),
});
export type Candidate = z.infer<typeof candidateSchema>;

export const problemSchema = z
  .object({
    type: z.string().describe('urn:holdfast:problem:<code>; the code is stable'),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('what happened and what to do, for people'),
    instance: z.string().describe('path of the request; empty where HQ could not read it'),
    errors: z.array(fieldErrorSchema).optional().describe('the first invalid fields, 20 at most'),
    candidates: z
      .array(candidateSchema)
      .optional()
      .describe('with 409 of a name: what it may mean, 100 at most'),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem document' });
export type ProblemDocument = z.infer<typeof problemSchema>;

export const PROBLEM_CONTENT_TYPE = 'application/problem+json; charset=utf-8';
export const MAX_FIELD_ERRORS = 20;

/** Code of each problem with its status. */
export const PROBLEM_CODES = {
  bad_request: 400,
  malformed: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  removing: 404,
  method_not_allowed: 405,
  timed_out: 408,
  chaos_disabled: 409,
  backups_disabled: 409,
  backup_running: 409,
  backup_exists: 409,
  agent_connected: 409,
  ambiguous: 409,
  too_large: 413,
  unsupported_media_type: 415,
  expectation_failed: 417,
  invalid: 422,
  idempotency_key_reused: 422,
  too_many_series: 422,
  too_many_schemas: 422,
  too_many_agents: 422,
  upgrade_required: 426,
  rate_limited: 429,
  too_many_keys: 429,
  headers_too_large: 431,
  internal: 500,
  unavailable: 503,
  too_slow: 504,
} as const;
export type ProblemCode = keyof typeof PROBLEM_CODES;

export type ProblemOptions = {
  readonly errors?: readonly FieldError[];
  readonly candidates?: readonly Candidate[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
};

/** Thrown by handlers and hooks; the error handler turns it into a document. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly statusCode: number;
  readonly errors: readonly FieldError[];
  readonly candidates: readonly Candidate[];
  readonly headers: Readonly<Record<string, string>>;
  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, { cause: options.cause });
    this.code = code;
    this.statusCode = PROBLEM_CODES[code];
    this.errors = options.errors ?? [];
    this.candidates = options.candidates ?? [];
    this.headers = options.headers ?? {};
  }
}

export function problemDocument(problem: Problem, instance: string): ProblemDocument {
  return {
    type: `urn:holdfast:problem:${problem.code}`,
    title: STATUS_CODES[problem.statusCode] ?? 'Error',
    status: problem.statusCode,
    detail: problem.message.toWellFormed(),
    instance,
    ...(problem.candidates.length > 0 && { candidates: [...problem.candidates] }),
    ...(problem.errors.length > 0
      ? { errors: problem.errors.slice(0, MAX_FIELD_ERRORS).map(wellFormed) }
      : {}),
  };
}

/** They may quote what came: half of a surrogate pair would make a document that strict readers refuse. */
const wellFormed = ({ field, message }: FieldError): FieldError => ({
  field: field.toWellFormed(),
  message: message.toWellFormed(),
});

/** HQ cannot take something now; `retryAfterS` seconds later it may. */
export function unavailable(detail: string, retryAfterS: number, cause?: unknown): Problem {
  return new Problem('unavailable', detail, { headers: { 'retry-after': String(retryAfterS) }, cause });
}
