/** Opening the port, with errors that say what to do. */
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { errorText } from '../platform/error-text.ts';

/** HQ cannot start; the message is for the person who started it. */
export class HqStartError extends Error {
  override readonly name = 'HqStartError';
}

export type Listening = { readonly port: number; readonly url: string };

/** Listens; `port` 0 picks a free one. Rejects with HqStartError. */
export async function listen(
  app: Pick<FastifyInstance, 'listen' | 'server'>,
  host: string,
  port: number,
): Promise<Listening> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    throw new HqStartError(reasonOf(cause, host, port), { cause });
  }
  const address = app.server.address() as AddressInfo;
  return { port: address.port, url: `http://${reachableName(host)}:${address.port}` };
}

function reasonOf(cause: unknown, host: string, port: number): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} of ${host} is in use by another program: stop that one, or choose another port (--port; 0 picks a free one)`;
    case 'EACCES':
      return `no permission to listen on port ${port}: choose one above 1023 (--port)`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} is not an address of this machine: choose another (--host), for instance 127.0.0.1`;
    default:
      return `cannot listen on ${host}:${port}: ${errorText(cause)}`;
  }
}

/** A name under which this machine reaches what listens on `host`. */
function reachableName(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
