/** An HTTP answer where another one was due, as an error in the words of `ws`, which classify-failure.ts knows. */
import type { IncomingMessage } from 'node:http';

/** The page of such an answer begins within so many bytes. */
const MAX_BODY = 1_024;

export class UnexpectedAnswerError extends Error {
  override readonly name = 'UnexpectedAnswerError';
  /** The beginning of its page; empty where nobody looks at it. */
  readonly body: string;
  constructor(status: number | undefined, body: string) {
    super(`Unexpected server response: ${status}`);
    this.body = body;
  }
}

/**
 * `done` is called once; the caller ends the request then. Of HTTP 400 the page is waited for, in which a server of
 * TLS says that it was asked by plain HTTP.
 */
export function readUnexpected(
  response: IncomingMessage,
  done: (error: UnexpectedAnswerError) => void,
): void {
  let body = '';
  let settled = false;
  const settle = () => {
    if (settled) return;
    settled = true;
    done(new UnexpectedAnswerError(response.statusCode, body.slice(0, MAX_BODY)));
  };
  if (response.statusCode !== 400) {
    settle();
    return;
  }
  response.setEncoding('latin1');
  response.on('data', (chunk: string) => {
    body += chunk;
    if (body.length >= MAX_BODY) settle();
  });
  for (const end of ['end', 'error', 'close']) response.on(end, settle);
}
