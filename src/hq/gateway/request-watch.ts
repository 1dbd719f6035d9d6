/**
 * Watches requests until they have arrived whole: by progress, not by total time, so that 300 KB over a modem are
 * taken.
 *
 * Node's own limits are of total time and are off. A TCP connection is half open from its beginning, and again from the
 * first byte of each further request, until head and body are here; what is upgraded is left to those who speak over
 * it.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { interval } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { type CutReason, createHalfOpen, type HalfOpenOptions } from '../half-open.ts';
import type { HalfOpenEmit } from '../half-open-events.ts';
import type { BodyCount } from './body-count.ts';
import { slowRequest } from './client-error.ts';

export type RequestWatchOptions = Pick<HalfOpenOptions, 'silenceMs' | 'leastBytesPerSecond' | 'max'> & {
  /** Of the bodies that are here, whole or not: when they are too much, one request is cut. */
  readonly bodies: BodyCount;
  readonly clock: Pick<Clock, 'precise' | 'scheduler'>;
  readonly emit: HalfOpenEmit;
};

const SWEEP_MS = 1_000;

/** From the moment the server listens until it is closed. */
export function watchRequests(server: Server, options: RequestWatchOptions): void {
  const { emit, clock, bodies } = options;
  const halfOpen = createHalfOpen({
    ...options,
    onCount: (count) => emit({ type: 'half_open', kind: 'request', count }),
  });
  /** What ends the present wait of a connection. */
  const pending = new Map<Duplex, () => void>();
  /** Connections between two requests, with the bytes that they had received then. */
  const idle = new Map<Socket, number>();
  bodies.onTooMuch = ({ socket }) => {
    pending.get(socket)?.();
    cutOff(socket, 'too much');
  };
  server.requestTimeout = 0;
  server.headersTimeout = 0;

  const cutOff = (tcp: Socket, reason: CutReason) => {
    pending.delete(tcp);
    emit({ type: 'half_open_cut', kind: 'request', reason, address: tcp.remoteAddress ?? '' });
    // As Node does with its own limit: the answer is 408, where it can still be given.
    server.emit('clientError', slowRequest(reason), tcp);
  };
  const begin = (tcp: Socket) => {
    idle.delete(tcp);
    const end = halfOpen.begin({
      address: tcp.remoteAddress ?? '',
      received: () => tcp.bytesRead,
      cut: (reason) => cutOff(tcp, reason),
    });
    pending.set(tcp, end);
  };
  const end = (tcp: Duplex) => {
    pending.get(tcp)?.();
    pending.delete(tcp);
  };

  server.on('connection', (tcp: Socket) => {
    begin(tcp);
    tcp.once('close', () => {
      end(tcp);
      idle.delete(tcp);
    });
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const tcp = request.socket;
    // Requests that follow each other closely arrive before a sweep has seen their first byte.
    idle.delete(tcp);
    if (hasBody(request)) {
      if (!pending.has(tcp)) begin(tcp);
      request.once('close', () => end(tcp));
      request.once('end', () => end(tcp));
    } else end(tcp);
    response.once('close', () => {
      bodies.release(request);
      if (!tcp.destroyed && !pending.has(tcp)) idle.set(tcp, tcp.bytesRead);
    });
  });
  server.on('upgrade', (_request: IncomingMessage, tcp: Duplex) => end(tcp));

  server.once('listening', () => {
    const sweeping = interval(SWEEP_MS, clock.scheduler).subscribe(() => {
      for (const [tcp, before] of idle) if (tcp.bytesRead > before) begin(tcp);
      halfOpen.sweep();
    });
    server.once('close', () => sweeping.unsubscribe());
  });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
