/**
 * Answers to what never becomes a request: bytes that are no HTTP, a head that is too large, one that does not arrive.
 * Node's own are no problem documents and do not say what to do.
 */
import { type IncomingMessage, maxHeaderSize, ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type CutReason, SLOW_REQUEST } from '../half-open.ts';
import { PROBLEM_CONTENT_TYPE, Problem, problemDocument } from '../http/problem.ts';
import type { GatewayApp } from './routes/context.ts';

/** What a client that was answered may still send before its connection is closed, bytes: it reads only then. */
const MAX_REST_BYTES = 1024 * 1024;

type ClientError = Error & {
  readonly code?: string | undefined;
  readonly reason?: string | undefined;
  readonly rawPacket?: unknown;
  readonly cut?: CutReason;
};

/** Thrown at a connection whose request is given up. */
export function slowRequest(cut: CutReason): Error {
  return Object.assign(new Error('the request came too slowly'), { code: SLOW_REQUEST, cut });
}

/** The answer; null: nobody is there to read one. */
export function problemOfClient(error: ClientError): Problem | null {
  switch (error.code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return null;
    case SLOW_REQUEST:
      return new Problem('timed_out', WHY_CUT[error.cut ?? 'silent']);
    case 'HPE_HEADER_OVERFLOW':
      return new Problem(
        'headers_too_large',
        `the address and the headers of the request are larger than the ${maxHeaderSize} bytes that HQ reads: leave out cookies and headers that HQ does not need, or ask for less at once`,
      );
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Problem('too_large', 'the extensions of a chunk are too large: send chunks without them');
    default:
      return new Problem('malformed', noHttp(error));
  }
}

const AGAIN = 'what was sent may or may not be stored, send it again';
const WHY_CUT: Readonly<Record<CutReason, string>> = {
  silent: `nothing of the request came any more: ${AGAIN}`,
  'too slow': `the request came more slowly than HQ waits for (limits.leastBytesPerSecond): ${AGAIN}, in smaller parts`,
  'too many': `HQ has more requests under way than it takes (limits.maxPendingRequests), and this was the slowest: ${AGAIN}`,
  'too much': `HQ holds more bytes of bodies than it takes at once (limits.bodyBytesAtOnce): ${AGAIN} later, in smaller parts`,
};

/** First byte of a TLS handshake. */
const TLS = 22;

function noHttp({ reason, message, rawPacket }: ClientError): string {
  if (rawPacket instanceof Uint8Array && rawPacket[0] === TLS)
    return 'this looks like TLS, and HQ speaks plain HTTP here: write http://, or put a proxy with TLS before HQ';
  return `what came is no request of HTTP/1.1 (${(reason ?? message).toLowerCase()}): check the client, or the proxy before HQ`;
}

const answered = new WeakSet<Duplex>();

/** For Fastify's `clientErrorHandler`. `note` is told the status of each answer, or `closed`. */
export function answerClientError(
  error: ClientError,
  socket: Duplex,
  note: (status: string) => void = () => {},
): void {
  const problem = problemOfClient(error);
  if (problem === null || socket.destroyed) return void socket.destroy();
  if (answered.has(socket)) {
    // Of a connection that is answered, every further piece is one more error, until the client has read.
    if (error.code === SLOW_REQUEST || bytesReadOf(socket) > MAX_REST_BYTES) {
      note('closed');
      socket.destroy();
    }
    return;
  }
  answered.add(socket);
  if (!socket.writable || hasBegun(socket)) return void socket.destroy();
  note(String(problem.statusCode));
  socket.end(problemText(problem, ''));
  if (error.code === SLOW_REQUEST) socket.once('finish', () => socket.destroy());
}

/** An answer that is under way cannot be followed by another. */
function hasBegun(socket: Duplex): boolean {
  const response: unknown = Reflect.get(socket, '_httpMessage');
  return response instanceof ServerResponse && response.headersSent;
}

function bytesReadOf(socket: Duplex): number {
  return 'bytesRead' in socket && typeof socket.bytesRead === 'number' ? socket.bytesRead : 0;
}

/** A whole answer of HTTP/1.1, after which the connection ends. `instance`: path of the request. */
export function problemText(problem: Problem, instance: string): string {
  const body = JSON.stringify(problemDocument(problem, instance));
  const head = [
    `HTTP/1.1 ${problem.statusCode} ${STATUS_CODES[problem.statusCode]}`,
    `Content-Type: ${PROBLEM_CONTENT_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'Connection: close',
    ...Object.entries(problem.headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** What Node answers by itself otherwise, without a word: other expectations than 100-continue, and no Host. */
export function answerInWords(app: GatewayApp): void {
  app.addHook('onRequest', async ({ raw }) => {
    const missing = hostMissing(raw);
    if (missing !== null) throw missing;
  });
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    const expected = String(request.headers.expect).slice(0, 100);
    const detail = `Expect: ${expected} is not known here; leave it out, or send 100-continue`;
    const problem = new Problem('expectation_failed', detail);
    const body = JSON.stringify(problemDocument(problem, request.url?.split('?', 1)[0] ?? ''));
    response.writeHead(problem.statusCode, {
      ...{ 'content-type': PROBLEM_CONTENT_TYPE, 'content-length': Buffer.byteLength(body) },
      ...{ 'cache-control': 'no-store', connection: 'close' },
    });
    response.end(body);
  });
}

function hostMissing({ httpVersion, headers }: IncomingMessage): Problem | null {
  if (httpVersion !== '1.1' || headers.host !== undefined) return null;
  return new Problem('bad_request', 'the request has no Host header: HTTP/1.1 asks for one', {
    errors: [{ field: 'host', message: 'is missing' }],
  });
}
