/**
 * A client that sends its whole body before it reads the answer sees no 413, but a broken pipe, when the connection is
 * closed under it. So the answer is sent first, and then so much of the rest is read and dropped.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';

const MAX_REST_BYTES = 16 * 1024 * 1024;

/** To be called before an answer is sent to a request whose body may not have been read to its end. */
export function drainRest({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (raw.complete !== false) return;
  // Fastify asks for it after each body that it gave up; Node then closes without reading on.
  if (reply.raw.shouldKeepAlive) reply.removeHeader('connection');
  else reply.header('connection', 'close');
  closeAfterRest(raw);
  drop(raw, reply.raw);
}

/** Where the client asks for an end of the connection, Node ends it with the answer, and what comes then breaks. */
function closeAfterRest(request: IncomingMessage): void {
  const { socket } = request;
  const close = socket.destroySoon.bind(socket);
  socket.destroySoon = () => {
    if (request.complete) close();
    else request.once('end', close);
  };
}

/** Begins before the answer is out: what nobody reads by then Node drops by itself, without any bound. */
function drop(request: IncomingMessage, response: ServerResponse): void {
  let left = MAX_REST_BYTES;
  const end = () => request.socket.destroy();
  request.unpipe();
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left >= 0) return;
    request.pause();
    if (response.writableFinished) end();
    else response.once('finish', end);
  });
  request.resume();
}
