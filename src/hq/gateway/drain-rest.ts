/**
 * A client that sends its whole body before it reads the answer sees no 413, but a broken pipe, when the connection is
 * closed under it. So the answer is sent first, and then so much of the rest is read and dropped.
 */
import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';

const MAX_REST_BYTES = 16 * 1024 * 1024;

/** To be called before an answer is sent to a request whose body may not have been read to its end. */
export function drainRest({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (raw.complete !== false) return;
  // Fastify asks for it after each body that it gave up; Node then closes without reading on.
  reply.removeHeader('connection');
  reply.raw.once('finish', () => drop(raw));
}

function drop(request: IncomingMessage): void {
  let left = MAX_REST_BYTES;
  request.unpipe();
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.socket.destroy();
  });
  request.resume();
}
