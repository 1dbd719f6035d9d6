/**
 * The agent's own HTTP server: /healthz, /readyz, /metrics, /status.json and a page for people. Reading only.
 *
 * It has no access control, so it belongs on loopback; there it answers only to names of loopback, or any web page
 * could read it through a host name of its own that resolves to 127.0.0.1 (DNS rebinding).
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import type { Registry } from '@prometheus-io/client';
import { Observable } from 'rxjs';
import type { AgentStatus } from '../status.ts';
import { unreadiness } from '../status.ts';
import { renderStatusPage } from './status-page.ts';

export type HealthServerOptions = {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly status: () => AgentStatus;
  readonly registry: Registry;
};

export type HealthServer = {
  readonly url: string;
  /** Ends open connections too; completes when the port is free. */
  readonly close: () => Observable<never>;
};

/** Not imported: that would evaluate each export of the module, and one of them is all of undici, 12 MB. */
const { createServer } = process.getBuiltinModule('node:http');

const LOOPBACK_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Emits the server once it listens, then completes; errors when it cannot. */
export function startHealthServer(options: HealthServerOptions): Observable<HealthServer> {
  return new Observable((subscriber) => {
    const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
      answer(options, request, response).catch((error: unknown) => {
        if (!response.headersSent) send(response, 500, 'text/plain', `${String(error)}\n`);
        else response.destroy();
      });
    });
    server.maxConnections = 64;
    server.once('error', (error) => subscriber.error(error));
    server.listen(options.port, options.host, () => {
      subscriber.next({ url: urlOf(server, options.host), close: () => closeServer(server) });
      subscriber.complete();
    });
  });
}

function urlOf(server: Server, host: string): string {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

function closeServer(server: Server): Observable<never> {
  return new Observable((subscriber) => {
    server.close(() => subscriber.complete());
    server.closeAllConnections();
  });
}

async function answer(
  options: HealthServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!isAllowedHost(options.host, request.headers.host ?? '')) {
    send(response, 421, 'text/plain', 'This server answers to its own address only.\n');
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    send(response, 405, 'text/plain', 'Reading only.\n');
    return;
  }
  const status = options.status();
  switch ((request.url ?? '/').split('?')[0]) {
    case '/':
      return send(response, 200, 'text/html; charset=utf-8', renderStatusPage(status));
    case '/status.json':
      return send(response, 200, 'application/json', `${JSON.stringify(status)}\n`);
    case '/healthz':
      return send(response, 200, 'text/plain', 'ok\n');
    case '/readyz': {
      const reason = unreadiness(status);
      return reason === null
        ? send(response, 200, 'text/plain', 'ready\n')
        : send(response, 503, 'text/plain', `not ready: ${reason}\n`);
    }
    case '/metrics':
      return send(response, 200, options.registry.contentType, await options.registry.metrics());
    default:
      return send(response, 404, 'text/plain', 'Try /, /healthz, /readyz, /metrics or /status.json.\n');
  }
}

/** Beyond loopback the operator decides who may come in; on it, only loopback's own names do. */
function isAllowedHost(listening: string, header: string): boolean {
  const loopback = listening === 'localhost' || listening === '::1' || listening.startsWith('127.');
  if (!loopback) return true;
  const name = header.replace(/:\d+$/, '').toLowerCase();
  return LOOPBACK_NAMES.has(name) || /^127\.\d+\.\d+\.\d+$/.test(name);
}

function send(response: ServerResponse, code: number, type: string, body: string): void {
  response.writeHead(code, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
  });
  response.end(body);
}
