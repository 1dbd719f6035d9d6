/** HQ's Socket.IO server: its limits, and the refusal of everything but the namespaces that HQ serves. */
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import { timer } from 'rxjs';
import { Server } from 'socket.io';
import { type ServerOptions, WebSocketServer } from 'ws';
import type { Clock } from '../../platform/clock.ts';
import type { Emit } from '../../platform/telemetry.ts';
import type { Access } from '../access.ts';
import { clientAddress } from '../client-address.ts';
import { type HqConfig, trustedProxiesOf } from '../config.ts';
import type { ConnectionLimits } from '../connection-limits.ts';
import type { HqAlarms } from '../hq-alarms.ts';
import { boundProxied } from './bound-connections.ts';
import { boundedParser } from './bounded-parser.ts';
import type { GatewayEvents } from './gateway-events.ts';
import { watchJoins } from './join-watch.ts';
import { countProgressAsPong, type PingedSocket } from './ping-progress.ts';

const KIB = 1024;
/** Room for event name, acks and attributes besides a frame, and for the largest schema that is reasonable. */
const ENVELOPE_BYTES = 64 * KIB;
const SMALLEST_BUFFER_BYTES = 1024 * KIB;
/** How long a peer may take to answer the closing of its WebSocket, ms; one that never does would hold it for 30 s. */
const CLOSE_GRACE_MS = 1000;
/** No timer runs longer. */
const NEVER_MS = 2 ** 31 - 1;

export type SocketServerTools = {
  readonly access: Pick<Access, 'objection'>;
  readonly clock: Pick<Clock, 'precise' | 'scheduler'>;
  readonly emit: Emit<GatewayEvents>;
  readonly alarms: Pick<HqAlarms, 'note'>;
  readonly connections: ConnectionLimits;
};

type EngineSocket = PingedSocket & {
  readonly request: IncomingMessage;
  readonly once: (event: 'close', listener: () => void) => void;
};

/** Attached to `server`; namespaces `/agents` and `/dashboard` are added by those who serve them. */
export function createSocketServer(
  server: HttpServer,
  config: HqConfig,
  { access, clock, emit, alarms, connections }: SocketServerTools,
): Server {
  const io = new Server(server, {
    serveClient: false,
    transports: ['websocket', 'polling'],
    // Beyond it a connection is closed without a word; agents keep below `maxFrameBytes`, which HQ announces.
    maxHttpBufferSize: Math.max(SMALLEST_BUFFER_BYTES, config.limits.maxFrameBytes + ENVELOPE_BYTES),
    pingInterval: config.socket.pingIntervalMs,
    pingTimeout: config.socket.pingTimeoutMs,
    // A limit of total time; joins are watched for progress.
    connectTimeout: NEVER_MS,
    perMessageDeflate: false,
    wsEngine: OneMessageATurn,
    httpCompression: false,
    allowEIO3: false,
    destroyUpgrade: true,
    parser: boundedParser(() => emit({ type: 'message_too_long' })),
    ...(config.corsOrigins.length > 0 ? { cors: { origin: config.corsOrigins } } : {}),
  });
  boundProxied(io, {
    ...connections,
    trustedProxies: trustedProxiesOf(config),
    alarms,
    emit,
  });
  watchJoins(io, {
    server,
    silenceMs: config.socket.connectTimeoutMs,
    leastBytesPerSecond: config.limits.leastBytesPerSecond,
    max: config.limits.maxPendingHellos,
    trustedProxies: trustedProxiesOf(config),
    clock,
    emit,
  });
  io.engine.use(refuseOddRequests);
  // Each request of a client that polls, not only its first: that one a browser sends without its Origin.
  io.engine.use((request: IncomingMessage, _response: unknown, next: (error?: Error) => void) => {
    const { host, origin } = request.headers;
    const objection = access.objection({ host, origin });
    if (objection === null) return next();
    emit({
      type: 'access_refused',
      role: 'agent',
      reason: 'origin',
      address: clientAddress(request.headers, request.socket.remoteAddress ?? '', trustedProxiesOf(config)),
      where: '/socket.io',
    });
    next(new Error(objection));
  });
  // The default namespace exists by itself; joining it would keep an idle connection alive for ever.
  io.of('/').use((_socket, next) => next(new Error('join /agents or /dashboard')));
  io.engine.on('connection', (socket: EngineSocket) => {
    countProgressAsPong(socket, { pingTimeoutMs: config.socket.pingTimeoutMs, clock });
    if (socket.transport.name !== 'websocket') return;
    const tcp = socket.request.socket;
    socket.once('close', () => {
      const grace = timer(CLOSE_GRACE_MS, clock.scheduler).subscribe(() => tcp.destroy());
      tcp.once('close', () => grace.unsubscribe());
    });
  });
  return io;
}

/** Engine.IO answers other methods with 500, and JSONP, which no client of HQ speaks, to any page. */
function refuseOddRequests(
  { method, url }: IncomingMessage,
  response: Pick<ServerResponse, 'writeHead' | 'end'>,
  next: (error?: Error) => void,
): void {
  if (method !== 'GET' && method !== 'POST' && method !== 'OPTIONS') {
    response.writeHead(405, { allow: 'GET, POST, OPTIONS' });
    response.end();
  } else if (/[?&]j=/.test(url ?? '')) next(new Error('JSONP is not served'));
  else next();
}

/**
 * One message of a WebSocket per turn of the event loop: a chunk of a client that floods holds hundreds, and all others
 * would wait until each of them has been answered.
 */
class OneMessageATurn extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({ ...options, allowSynchronousEvents: false });
  }
}
