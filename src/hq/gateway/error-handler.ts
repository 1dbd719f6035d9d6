/**
 * Turns whatever a request failed with into a problem document; what nobody foresaw is logged and told as `internal`.
 */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { TimeoutError } from 'rxjs';
import type { Logger } from '../../platform/logger.ts';
import { StorageError } from '../../storage/storage.ts';
import {
  PROBLEM_CONTENT_TYPE,
  Problem,
  type ProblemCode,
  problemDocument,
  unavailable,
} from '../http/problem.ts';
import { traceParent } from '../http/trace-parent.ts';
import { CursorError } from '../store/cursor-error.ts';
import { drainRest } from './drain-rest.ts';

const CODES_BY_STATUS: Readonly<Record<number, ProblemCode>> = {
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  413: 'too_large',
  415: 'unsupported_media_type',
  429: 'rate_limited',
};

/** `bodyBytes`: the limit that a body which is too large has crossed. */
export function problemOf(error: unknown, bodyBytes: number): Problem {
  if (error instanceof Problem) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const errors = error.validation.map((issue) => ({
      field: issue.instancePath.slice(1).replaceAll('/', '.') || 'request',
      message: issue.message ?? 'invalid',
    }));
    const first = errors[0];
    const detail = first === undefined ? 'invalid request' : `${first.field}: ${first.message}`;
    return new Problem(isBody(error) ? 'invalid' : 'bad_request', detail, { errors });
  }
  if (error instanceof CursorError) {
    const errors = [{ field: 'cursor', message: error.message }];
    return new Problem('bad_request', `cursor: ${error.message}`, { errors });
  }
  if (error instanceof StorageError || error instanceof TimeoutError) {
    return unavailable(
      'the storage of HQ cannot answer now; what was sent may or may not be stored, send it again',
      5,
      error,
    );
  }
  if (error instanceof Error && 'code' in error && error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new Problem(
      'too_large',
      `the body is larger than the ${bodyBytes} bytes that one request may have, inflated (limits.bodyBytes): send less at once`,
    );
  }
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  if (error instanceof Error && typeof status === 'number' && status >= 400 && status < 500) {
    return new Problem(CODES_BY_STATUS[status] ?? 'bad_request', error.message, { cause: error });
  }
  return new Problem('internal', 'HQ failed at this request; its log says why', { cause: error });
}

export function createErrorHandler(logger: Logger, bodyBytes: number) {
  return (error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): void => {
    const problem = problemOf(error, bodyBytes);
    if (problem.statusCode >= 500 && problem.cause !== undefined) {
      logger.error(
        {
          ...{ err: problem.cause, method: request.method, path: pathOf(request.url) },
          ...traceParent(request.headers.traceparent),
        },
        'request failed',
      );
    }
    sendProblem(problem, request, reply);
  };
}

export function sendProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply): void {
  drainRest(request, reply);
  void reply
    .code(problem.statusCode)
    .headers({ ...problem.headers, 'cache-control': 'no-store' })
    .type(PROBLEM_CONTENT_TYPE)
    .serializer((document: unknown) => JSON.stringify(document))
    .send(problemDocument(problem, pathOf(request.url)));
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url;
}

function isBody(error: object): boolean {
  return 'validationContext' in error && error.validationContext === 'body';
}
