/**
 * The link over Socket.IO.
 *
 * Everything clever in the client is switched off: `retries` reconnects for ever on a message that the server cannot
 * take, its buffer grows without bound while offline, and its backoff is not ours. A connection has one transport to
 * its end: with polling first, each reconnection costs several HTTP requests, an upgrade doubles the frames in doubt,
 * and a proxy that only lets polling through would carry a drain at a fraction of the speed without anyone noticing.
 */
import type { Agent } from 'node:http';
import { Observable, type Subscriber, Subscription } from 'rxjs';
import { io, type Socket } from 'socket.io-client';
import type { Clock } from '../../platform/clock.ts';
import type { AgentMessageName } from '../../protocol/agent-messages.ts';
import { CompactError } from '../../protocol/compact/compact-error.ts';
import { COMPACT_EVENT, compactParser } from '../../protocol/compact/socketio-parser.ts';
import { conflictSchema, creditSchema, type HqToAgentEvents } from '../../protocol/events.ts';
import { takeAnnouncedSilence } from './announced-silence.ts';
import { classifyConnectFailure } from './classify-failure.ts';
import { type CompactRequests, createCompactRequests, type Emit } from './compact-requests.ts';
import { createCountedAgent, createSocketCounter, type SocketCounter } from './counted-sockets.ts';
import { shownAddress, socketAddress } from './hq-address.ts';
import { type ConnectOptions, type Link, LinkError, type LinkEvent, onlyWay, type Way } from './link.ts';
import { type Ask, createParsedSession } from './parsed-session.ts';
import type { HttpProxy } from './proxy/proxy-settings.ts';
import { untilSilent } from './silence.ts';
import { createHttpPolling, type HttpPolling } from './transports/http-polling.ts';
import type { Transport } from './transports/transport.ts';
import { withUpgrade } from './transports/upgrade-failure.ts';
import { createWebSocketTransport } from './transports/web-socket.ts';

export type SocketIoLinkOptions = {
  /** Base address of HQ, `http:` or `https:`; a path in it is kept. */
  readonly url: string;
  /** Asked at each connection; may throw a LinkError. */
  readonly token: () => string | undefined;
  /** Default: the only way, which may carry everything. */
  readonly way?: Way;
  /** Default: none. */
  readonly proxy?: HttpProxy | null;
  /** Default: websocket. */
  readonly transport?: Transport;
  /** Random id of this process, the answer to HQ's probe. */
  readonly instance: string;
  /** How long nothing may come while it connects, ms. */
  readonly connectTimeoutMs: number;
  readonly clock: Pick<Clock, 'scheduler' | 'precise'>;
};

/** No answer of HQ comes near this; a larger message ends the connection before it is in memory. */
const MAX_INCOMING_BYTES = 4 * 1024 * 1024;

type Compact = { readonly [COMPACT_EVENT]: (...args: unknown[]) => void };
/** Types promise nothing about the other side: what arrives is unknown until it is parsed. */
type Incoming = { readonly [K in keyof HqToAgentEvents]: (...args: unknown[]) => void } & Compact;
type Outgoing = { readonly [K in AgentMessageName]: (...args: unknown[]) => void } & Compact;
const KNOWN_EVENTS: ReadonlySet<string> = new Set<keyof Incoming>([
  'credit',
  'conflict',
  'probe',
  COMPACT_EVENT,
]);
type AgentSocket = Socket<Incoming, Outgoing>;
type Engine = AgentSocket['io']['engine'];

export function createSocketIoLink(options: SocketIoLinkOptions): Link {
  const { transport = 'websocket' } = options;
  let sockets = createSocketCounter();
  let againMs: number | null = null;
  // One for all connections, so that TLS sessions are resumed; sockets belong to the latest connection.
  const agent = createCountedAgent({
    secure: new URL(options.url).protocol === 'https:',
    onSocket: (tcp, top) => sockets.add(tcp, top),
    proxy: options.proxy ?? null,
    keepAlive: transport === 'polling',
    again: { ms: () => againMs, scheduler: options.clock.scheduler },
  });
  return {
    connect: (wishes = {}) =>
      new Observable<LinkEvent>((subscriber) => {
        // Those of the one before that are still kept would be taken, and not be counted.
        if (transport === 'polling') sockets.reset();
        sockets = createSocketCounter();
        againMs = wishes.againMs ?? null;
        wishes.onTry?.(sockets.traffic);
        const token = options.token();
        const polling =
          transport === 'polling'
            ? createHttpPolling({ agent, maxAnswerBytes: MAX_INCOMING_BYTES, clock: options.clock })
            : null;
        return openConnection({ ...options, ...wishes, token }, { agent, sockets, polling }, subscriber);
      }),
  };
}

type ConnectionOptions = Omit<SocketIoLinkOptions, 'token'> &
  ConnectOptions & { readonly token: string | undefined };
type Sockets = {
  readonly agent: Agent;
  readonly sockets: SocketCounter;
  /** Null: by WebSocket. */
  readonly polling: HttpPolling | null;
};

function openConnection(
  options: ConnectionOptions,
  { agent, sockets, polling }: Sockets,
  subscriber: Subscriber<LinkEvent>,
): () => void {
  const { instance, clock } = options;
  const url = shownAddress(options.url);
  let asked = false;
  const onAsked = () => {
    asked = true;
  };
  const socket = newSocket(options, { agent, polling, onAsked });
  const compact = createCompactRequests(
    (event, args, answer) => {
      socket.emit(event, ...args, answer);
      return () => {};
    },
    (bytes) => void socket.emit(COMPACT_EVENT, bytes),
  );
  /** Requests that wait for an answer; they end with the connection. */
  const waiting = new Set<(error: LinkError) => void>();
  let opened = false;
  let joining: { readonly at: number; readonly sent: number } | undefined;

  const watching = new Subscription();
  const end = (error: LinkError) => {
    watching.unsubscribe();
    for (const fail of [...waiting]) fail(error);
    waiting.clear();
    subscriber.error(asked && joining === undefined ? withUpgrade(error) : error);
  };

  // Heard before the client asks to join.
  socket.io.on('open', () => {
    joining = { at: clock.precise(), sent: sockets.traffic().sent };
  });
  socket.on('connect', () => {
    opened = true;
    const meter = {
      joined: joining && {
        bytes: sockets.traffic().sent - joining.sent,
        ms: clock.precise() - joining.at,
      },
      way: options.way ?? onlyWay(url),
      traffic: sockets.traffic,
      unsent: () => sockets.waiting() + bytesBefore(socket.io.engine),
    };
    const ask = asker(socket, url, waiting, compact.emit);
    subscriber.next({ type: 'open', session: createParsedSession(ask, meter) });
  });
  socket.on('connect_error', (error: unknown) =>
    end(classifyConnectFailure(url, error, polling === null ? 'websocket' : 'polling')),
  );
  socket.on('disconnect', (reason) => end(new LinkError('closed', `HQ at ${url} is gone: ${reason}.`)));
  // A manager that closes before the namespace answered tells its sockets nothing; when it closes because of the
  // answer, or after an error, that follows in the same turn and says more.
  const closedEarly = (reason: string) => {
    if (opened) return;
    const kind = reason === 'parse error' ? 'protocol' : 'closed';
    const error = new LinkError(kind, `${url} ended the connection before it was open: ${reason}.`);
    queueMicrotask(() => end(error));
  };
  socket.io.on('close', closedEarly);
  hear(socket, { url, instance, compact }, subscriber, end);
  socket.connect();
  // Of a connection that ends before HQ's first word not even the manager hears.
  socket.io.engine.on('close', closedEarly);
  watching.add(watchSilence(options, { sockets, engine: socket.io.engine, isOpen: () => opened }, end));

  return () => {
    watching.unsubscribe();
    for (const fail of [...waiting]) fail(new LinkError('closed', 'The agent closed the connection.'));
    socket.removeAllListeners();
    socket.offAny();
    socket.io.removeAllListeners();
    socket.disconnect();
    // Closes the WebSocket too when the namespace never answered.
    socket.io._close();
    // A proxy may still be asked, which is no socket of the client yet.
    if (!opened) sockets.reset();
    // What is kept of the connections would live on.
    else polling?.left$.subscribe(() => sockets.reset());
  };
}

/** Not connected yet. */
function newSocket(
  { url, token }: Pick<ConnectionOptions, 'url' | 'token'>,
  { agent, polling, onAsked }: Pick<Sockets, 'agent' | 'polling'> & { readonly onAsked: () => void },
): AgentSocket {
  const target = socketAddress(url);
  const auth: Record<string, unknown> = token === undefined ? {} : { token };
  // The client's types know no Agent and no absence of a limit of total time; `watchSilence` looks at progress instead.
  const beyondTypes: object = { agent, timeout: false };
  const settings = {
    ...beyondTypes,
    path: target.path,
    transports: [polling === null ? createWebSocketTransport(onAsked) : polling.Transport],
    upgrade: false,
    reconnection: false,
    retries: 0,
    autoConnect: false,
    // A connection of its own each time: a cached manager would carry state over from the last one.
    forceNew: true,
    auth,
    maxPayload: MAX_INCOMING_BYTES,
    parser: compactParser,
  };
  return io(target.url, settings);
}

/** What HQ says of itself. */
function hear(
  socket: AgentSocket,
  {
    url,
    instance,
    compact,
  }: Pick<SocketIoLinkOptions, 'url' | 'instance'> & { readonly compact: CompactRequests },
  subscriber: Subscriber<LinkEvent>,
  end: (error: LinkError) => void,
): void {
  socket.on('credit', (...args) => {
    const credit = creditSchema.safeParse(args[0]);
    subscriber.next(
      credit.success ? { type: 'credit', ...credit.data } : { type: 'ignored', name: 'credit' },
    );
  });
  socket.on(COMPACT_EVENT, (...args) => {
    try {
      const [bytes] = args;
      if (!(bytes instanceof Uint8Array)) throw new CompactError('unknown_type', 'no bytes');
      const credit = compact.receive(bytes);
      if (credit !== null) subscriber.next(credit);
    } catch (error) {
      if (!(error instanceof CompactError)) throw error;
      end(new LinkError('protocol', `HQ at ${url} sent a compact message that cannot be: ${error.message}.`));
    }
  });
  socket.on('conflict', (...args) => {
    const conflict = conflictSchema.safeParse(args[0]);
    subscriber.next(
      conflict.success
        ? { type: 'conflict', message: conflict.data.message }
        : { type: 'ignored', name: 'conflict' },
    );
  });
  socket.on('probe', (...args) => {
    const reply = args.at(-1);
    if (typeof reply === 'function') reply({ instance });
    else subscriber.next({ type: 'ignored', name: 'probe' });
  });
  socket.onAny((name: unknown) => {
    if (!KNOWN_EVENTS.has(String(name)))
      subscriber.next({ type: 'ignored', name: String(name).slice(0, 64) });
  });
}

type Watched = {
  readonly sockets: SocketCounter;
  readonly engine: Engine;
  readonly isOpen: () => boolean;
};

/** Ends a connection on which nothing comes any more. */
function watchSilence(
  { url: address, connectTimeoutMs, connectSilenceMs, silenceMs, clock }: ConnectionOptions,
  { sockets, engine, isOpen }: Watched,
  end: (error: LinkError) => void,
): Subscription {
  const announcedMs = takeAnnouncedSilence(engine);
  const connectingMs = connectSilenceMs ?? connectTimeoutMs;
  return untilSilent({
    limitMs: () => (isOpen() ? (silenceMs?.(announcedMs()) ?? announcedMs()) : connectingMs),
    signs: () => sockets.traffic().received + sockets.established(),
    scheduler: clock.scheduler,
  }).subscribe((limitMs) => {
    // What the kernel still holds of a dead connection would compete with the next one.
    sockets.reset();
    const spoken = `${shownAddress(address)} has sent nothing for ${limitMs / 1000} s`;
    end(isOpen() ? new LinkError('closed', `HQ at ${spoken}.`) : new LinkError('timeout', `${spoken}.`));
  });
}

function asker(socket: AgentSocket, url: string, waiting: Set<(error: LinkError) => void>, emit: Emit): Ask {
  return (event, args) =>
    new Observable((subscriber) => {
      if (!socket.connected) {
        subscriber.error(new LinkError('closed', `The connection to ${url} is gone.`));
        return;
      }
      const fail = (error: LinkError) => subscriber.error(error);
      waiting.add(fail);
      const forget = emit(event, args, (answer) => {
        waiting.delete(fail);
        subscriber.next(answer);
        subscriber.complete();
      });
      return () => {
        waiting.delete(fail);
        forget();
      };
    });
}

/** Bytes that wait in the client before any socket: behind a request that is under way, or for this turn's end. */
function bytesBefore(engine: Pick<Engine, 'writeBuffer'>): number {
  // The first ones have been written, and leave the list a moment later.
  const written = Number(Reflect.get(engine, '_prevBufferLen') ?? 0);
  return engine.writeBuffer.slice(written).reduce((sum, { data }) => sum + sizeOf(data), 0);
}

function sizeOf(data: unknown): number {
  if (typeof data === 'string') return Buffer.byteLength(data);
  return data instanceof ArrayBuffer || ArrayBuffer.isView(data) ? data.byteLength : 0;
}
