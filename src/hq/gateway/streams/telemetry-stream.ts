/**
 * `/api/v1/ws/telemetry`: samples as they are stored, over a plain WebSocket. Who asks is looked at before the upgrade,
 * as for Socket.IO: rate, Host and Origin, token, filter, number of clients. A refusal is a problem document.
 */
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { map, type Observable, timeout } from 'rxjs';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Emit } from '../../../platform/telemetry.ts';
import { createTokenLevel, type TokenLevel } from '../../../streams/token-level.ts';
import { type Access, type AccessRequest, bearerToken } from '../../access.ts';
import { clientAddress } from '../../client-address.ts';
import { Problem, unavailable } from '../../http/problem.ts';
import { networkOf } from '../../network-of.ts';
import { problemText } from '../client-error.ts';
import type { GatewayEvents } from '../gateway-events.ts';
import { type StreamFilter, streamFilter } from './stream-filter.ts';
import { createStreamHub, type StreamHubOptions, type StreamPeer } from './stream-hub.ts';

export const STREAM_PATH = '/api/v1/ws/telemetry';
/** What a client may ask to speak; the token of a browser stands behind the second. */
const PROTOCOL = 'holdfast.telemetry.v1';
const TOKEN_PROTOCOL = 'holdfast.bearer.';

const ACCESS_DEADLINE_MS = 10_000;
const BUSY_RETRY_S = 30;
const LOOKUP_RETRY_S = 1;
/** Clients say nothing; what they send all the same is not held. */
const MAX_MESSAGE_BYTES = 1024;
const MAX_ADDRESSES = 10_000;
/** Close codes of RFC 6455, and 1013 of IANA. */
const GOING_AWAY = 1001;
const CANNOT_ACCEPT = 1003;
const TRY_AGAIN_LATER = 1013;

export type TelemetryStreamOptions = Omit<StreamHubOptions, 'onSent' | 'onMissed'> & {
  readonly server: HttpServer;
  readonly access: Pick<Access, 'admit' | 'objection'>;
  readonly emit: Emit<GatewayEvents>;
  readonly maxStreams: number;
  /** Attempts of one address. */
  readonly requestsPerMinute: number;
  readonly trustedProxies: number;
};

/** Serves clients until the returned function is called. */
export function attachTelemetryStream(options: TelemetryStreamOptions): () => void {
  const { server, emit } = options;
  const hub = createStreamHub({
    ...options,
    onSent: (samples, skipped) => emit({ type: 'stream_sent', samples, skipped }),
    onMissed: () => emit({ type: 'stream_missed' }),
  });
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  });
  const rates = createRates(options.requestsPerMinute, options.clock);
  const enter = (request: IncomingMessage, socket: Duplex, head: Buffer, filter: StreamFilter) => {
    if (socket.destroyed) return;
    sockets.handleUpgrade(request, socket, head, (client) => {
      const peer = peerOf(client, filter, (reason) => {
        emit({ type: 'stream_cut', reason, address: addressOf(request) });
        emit({ type: 'streams', connected: hub.size() });
      });
      serve(client, peer);
    });
  };
  const serve = (client: WebSocket, peer: StreamPeer) => {
    client.on('pong', () => hub.answered(peer));
    client.on('message', () =>
      client.close(CANNOT_ACCEPT, 'this stream takes no messages: what it shows is said by its address'),
    );
    // The end follows.
    client.on('error', () => {});
    client.on('close', () => {
      hub.leave(peer);
      emit({ type: 'streams', connected: hub.size() });
    });
    hub.join(peer);
    emit({ type: 'streams', connected: hub.size() });
  };
  const addressOf = (request: IncomingMessage) =>
    clientAddress(request.headers, request.socket.remoteAddress ?? '', options.trustedProxies);

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const url = new URL(request.url ?? '/', 'http://hq');
    if (url.pathname.replace(/\/$/, '') !== STREAM_PATH) return;
    socket.on('error', () => socket.destroy());
    const refuse = (problem: Problem) => refuseUpgrade(socket, problem);
    const address = addressOf(request);
    const waitMs = rates(address);
    if (waitMs > 0) return refuse(tooOften(options.requestsPerMinute, waitMs));
    admit(options, request, address).subscribe({
      next: (problem) => {
        if (problem !== null) return refuse(problem);
        try {
          const filter = streamFilter(url.searchParams);
          if (hub.size() < options.maxStreams) return enter(request, socket, head, filter);
          emit({ type: 'stream_cut', reason: 'too_many', address });
          refuse(
            unavailable(`${options.maxStreams} clients look on already (limits.maxStreams)`, BUSY_RETRY_S),
          );
        } catch (error) {
          refuse(error instanceof Problem ? error : new Problem('internal', 'HQ failed at this request'));
        }
      },
      error: (error: unknown) =>
        refuse(unavailable('HQ cannot look up who this is just now', LOOKUP_RETRY_S, error)),
    });
  };
  server.on('upgrade', onUpgrade);
  return () => {
    server.off('upgrade', onUpgrade);
    hub.close();
    for (const client of sockets.clients) {
      client.close(GOING_AWAY, 'HQ is stopping');
      client.terminate();
    }
  };
}

/** Null: it may come in. */
function admit(
  { access, emit, clock }: TelemetryStreamOptions,
  { headers }: IncomingMessage,
  address: string,
): Observable<Problem | null> {
  const { host, origin } = headers;
  const request: AccessRequest = { token: tokenOf(headers), host, origin };
  const refused = (reason: 'token' | 'host' | 'origin', message: string) => {
    emit({ type: 'access_refused', role: 'operator', reason, address, where: STREAM_PATH });
    return reason === 'token'
      ? new Problem('unauthorized', message, { headers: { 'www-authenticate': 'Bearer realm="holdfast"' } })
      : new Problem('forbidden', message);
  };
  const objection = access.objection({ host, origin });
  return access.admit('operator', request).pipe(
    timeout({ first: ACCESS_DEADLINE_MS, scheduler: clock.scheduler }),
    map((admission) => {
      if (objection !== null) return refused('origin', objection);
      return admission.ok ? null : refused(admission.reason, admission.message);
    }),
  );
}

/** A browser cannot set `Authorization` on a WebSocket: its token is one of the protocols that it offers. */
function tokenOf({ authorization, 'sec-websocket-protocol': protocols }: IncomingMessage['headers']) {
  const offered = (protocols ?? '').split(',').map((one) => one.trim());
  const encoded = offered.find((one) => one.startsWith(TOKEN_PROTOCOL))?.slice(TOKEN_PROTOCOL.length);
  return bearerToken(authorization) ?? (encoded && Buffer.from(encoded, 'base64url').toString('utf8'));
}

function peerOf(client: WebSocket, filter: StreamFilter, onCut: (reason: string) => void): StreamPeer {
  return {
    filter,
    send: (message) => client.send(message, () => {}),
    isFree: () => client.bufferedAmount === 0,
    ping: () => client.ping(),
    cut: (reason) => {
      client.close(TRY_AGAIN_LATER, 'it takes nothing');
      // An orderly close waits for the peer, and keeps the buffers of one that never answers.
      client.terminate();
      onCut(reason);
    },
  };
}

function refuseUpgrade(socket: Duplex, problem: Problem): void {
  if (!socket.writable) return void socket.destroy();
  socket.end(problemText(problem, STREAM_PATH));
  socket.once('finish', () => socket.destroy());
}

function tooOften(perMinute: number, waitMs: number): Problem {
  const message = `more than ${perMinute} requests a minute from this address; come back as Retry-After says`;
  return new Problem('rate_limited', message, {
    headers: { 'retry-after': String(Math.ceil(waitMs / 1000)) },
  });
}

/** How long an address has to wait before it may try again, ms; 0: it may. */
function createRates(perMinute: number, clock: TelemetryStreamOptions['clock']): (address: string) => number {
  const levels = new Map<string, TokenLevel>();
  return (address) => {
    const network = networkOf(address);
    const known = levels.get(network);
    const level = known ?? createTokenLevel({ capacity: perMinute, refillPerSecond: perMinute / 60 });
    if (known === undefined) {
      if (levels.size >= MAX_ADDRESSES) levels.clear();
      levels.set(network, level);
    }
    return level.tryTake(1, clock.precise());
  };
}
