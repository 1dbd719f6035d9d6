/**
 * The TCP connections beneath a link, counted where they meet the kernel: HTTP, WebSocket framing and TLS included.
 *
 * Only connections that were established count: an attempt that nobody takes costs nothing of the link but packets that
 * the kernel makes.
 *
 * The agent (of Node's HTTP client) makes each connection itself. TLS runs over a TCP socket of its own, because a TLS
 * socket counts only whole records that it has decrypted: 16 KiB that trickle in would look like silence. TLS sessions
 * are kept and resumed, also those of a connection that was cut, which Node's own agent forgets.
 */
import type { Agent } from 'node:http';
import { connect, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { SchedulerLike } from 'rxjs';
import { openFreshTcp } from './fresh-tcp.ts';
import type { Traffic } from './link.ts';
import type { HttpProxy } from './proxy/proxy-settings.ts';
import { openTunnel } from './proxy/tunnel.ts';

/** Not imported: that would evaluate each export of the module, and one of them is all of undici, 4 MB in an agent. */
const { Agent: HttpAgent } = process.getBuiltinModule('node:http');
const { Agent: HttpsAgent } = process.getBuiltinModule('node:https');

export type SocketCounter = {
  /**
   * `tcp`: one that is not connected yet, beneath TLS; `top`: what the client writes into, the same one without TLS.
   * May be told again of another `top`.
   */
  readonly add: (tcp: Socket, top: Duplex) => void;
  readonly traffic: () => Traffic;
  /** Bytes written and not yet taken by the kernel. */
  readonly waiting: () => number;
  /** TCP connections that have been established. */
  readonly established: () => number;
  /** Ends all of them at once; what the kernel still has to send is thrown away. */
  readonly reset: () => void;
};

export function createSocketCounter(): SocketCounter {
  const open = new Map<Socket, Duplex>();
  /** Node counts what waits for a connection as written: of one that never comes about nothing has gone. */
  const connected = new Set<Socket>();
  const gone = { sent: 0, received: 0 };
  let established = 0;
  return {
    add: (tcp, top) => {
      const isKnown = open.has(tcp);
      open.set(tcp, top);
      if (isKnown) return;
      tcp.once('connect', () => {
        established += 1;
        connected.add(tcp);
      });
      tcp.once('close', () => {
        open.delete(tcp);
        if (!connected.delete(tcp)) return;
        gone.sent += tcp.bytesWritten;
        gone.received += tcp.bytesRead;
      });
    },
    traffic: () => {
      let { sent, received } = gone;
      for (const tcp of connected) {
        sent += tcp.bytesWritten;
        received += tcp.bytesRead;
      }
      return { sent, received };
    },
    waiting: () => [...open.values()].reduce((sum, { writableLength }) => sum + writableLength, 0),
    established: () => established,
    reset: () => {
      for (const tcp of open.keys()) {
        if (tcp.connecting) tcp.destroy();
        else tcp.resetAndDestroy();
      }
    },
  };
}

export type CountedAgentOptions = {
  readonly secure: boolean;
  /** Takes note of each socket. */
  readonly onSocket: SocketCounter['add'];
  /** What leads to HQ; null: nothing but the network. */
  readonly proxy: HttpProxy | null;
  /**
   * Connections are kept for the next request, two at most: one request waits for HQ, one brings something. Default:
   * not.
   */
  readonly keepAlive?: boolean;
  /** Until a TCP connection that is not established is begun again, ms, asked at each; null or absent: it is not. */
  readonly again?: { readonly ms: () => number | null; readonly scheduler: SchedulerLike };
};

/** For Node's HTTP client and for `ws`. */
export function createCountedAgent(options: CountedAgentOptions): Agent {
  return options.secure ? new CountedHttpsAgent(options) : new CountedHttpAgent(options);
}

const KEPT = { keepAlive: true, maxSockets: 2 };

/**
 * What a resumed session offers: Node's first choice (X25519 with ML-KEM) takes 2.3 KB more. The session's own secret
 * comes from a whole handshake, and goes into the keys.
 */
const SHORT_CURVES = 'X25519:prime256v1:secp384r1';

type Connect = Agent['createConnection'];
type Where = {
  readonly host?: string | null | undefined;
  readonly port?: string | number | null | undefined;
};
type Tcp = (error: Error | null, tcp?: Socket, tunnel?: Duplex) => void;

/** Gives the connection at once, or later where a proxy has to agree to it. */
function tcpTo(where: Where, { proxy, onSocket, again }: CountedAgentOptions, done: Tcp): void {
  const host = where.host ?? 'localhost';
  const port = Number(where.port);
  if (proxy === null) {
    const open = () => connect({ host, port, noDelay: true });
    const againMs = again?.ms() ?? null;
    if (again === undefined || againMs === null) {
      done(null, open());
      return;
    }
    const { scheduler } = again;
    openFreshTcp({ open, onTcp: (tcp) => onSocket(tcp, tcp), againMs, scheduler }, done);
    return;
  }
  let beneath: Socket | undefined;
  const onTcp = (tcp: Socket) => {
    beneath = tcp;
    onSocket(tcp, tcp);
  };
  openTunnel({ proxy, host, port, onTcp }, (error, tunnel) => done(error, beneath, tunnel));
}

class CountedHttpAgent extends HttpAgent {
  readonly #counted: CountedAgentOptions;
  constructor(counted: CountedAgentOptions) {
    super(counted.keepAlive === true ? KEPT : {});
    this.#counted = counted;
  }
  override createConnection(...[options, callback]: Parameters<Connect>): ReturnType<Connect> {
    let now: Duplex | undefined;
    let isNow = true;
    tcpTo(options as Where, this.#counted, (error, tcp, tunnel = tcp) => {
      if (error !== null || tcp === undefined || tunnel === undefined) {
        callback?.(error, new Socket());
        return;
      }
      this.#counted.onSocket(tcp, tunnel);
      if (isNow) now = tunnel;
      else callback?.(null, tunnel);
    });
    isNow = false;
    return now;
  }
}

class CountedHttpsAgent extends HttpsAgent {
  readonly #counted: CountedAgentOptions;
  /** The newest one; all connections are to one address. */
  #session: Buffer | undefined;
  constructor(counted: CountedAgentOptions) {
    // Node's own cache would offer what is not kept here.
    super({ ...(counted.keepAlive === true ? KEPT : {}), maxCachedSessions: 0 });
    this.#counted = counted;
  }
  override createConnection(...[options, callback]: Parameters<Connect>): ReturnType<Connect> {
    let now: Duplex | null | undefined;
    let isNow = true;
    tcpTo(options as Where, this.#counted, (error, tcp, tunnel = tcp) => {
      if (error !== null || tcp === undefined || tunnel === undefined) {
        callback?.(error, new Socket());
        return;
      }
      const resumption =
        this.#session === undefined ? {} : { session: this.#session, ecdhCurve: SHORT_CURVES };
      const top = super.createConnection(
        Object.assign({}, options, { socket: tunnel, ...resumption }),
        callback,
      );
      if (top instanceof TLSSocket) this.#keepSession(top, this.#session !== undefined);
      if (top != null) this.#counted.onSocket(tcp, top);
      if (isNow) now = top;
      else if (top != null) callback?.(null, top);
    });
    isNow = false;
    return now;
  }

  /** `offered`: the handshake begins with a session, which HQ may refuse. */
  #keepSession(top: TLSSocket, offered: boolean): void {
    // One that began with the short curves alone is not resumed: the next handshake is a whole one again.
    const isWhole = () => !offered || top.isSessionReused();
    top.on('session', (session: Buffer) => {
      if (isWhole()) this.#session = session;
    });
    top.once('secureConnect', () => {
      if (!isWhole()) this.#session = undefined;
    });
    top.on('error', (error: Error) => {
      if (isOfTls(error)) this.#session = undefined;
    });
  }
}

/** The other side understands no more of the session. Where it has only forgotten it, the handshake goes on without. */
function isOfTls(error: Error): boolean {
  return 'code' in error && /^(ERR_SSL|ERR_TLS|EPROTO$)/.test(String(error.code));
}
