/**
 * The TCP connections beneath a link, counted where they meet the kernel: HTTP, WebSocket framing and TLS included.
 *
 * The agent (of Node's HTTP client) makes each connection itself. TLS runs over a TCP socket of its own, because a TLS socket counts
 * only whole records that it has decrypted: 16 KiB that trickle in would look like silence. TLS sessions are kept and resumed.
 */
import type { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Traffic } from './link.ts';

/** Not imported: that would evaluate each export of the module, and one of them is all of undici, 4 MB in an agent. */
const { Agent: HttpAgent } = process.getBuiltinModule('node:http');
const { Agent: HttpsAgent } = process.getBuiltinModule('node:https');

export type SocketCounter = {
  /** `tcp`: beneath TLS; `top`: what the client writes into, the same one without TLS. */
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
  const gone = { sent: 0, received: 0 };
  let established = 0;
  return {
    add: (tcp, top) => {
      open.set(tcp, top);
      tcp.once('connect', () => {
        established += 1;
      });
      tcp.once('close', () => {
        gone.sent += tcp.bytesWritten;
        gone.received += tcp.bytesRead;
        open.delete(tcp);
      });
    },
    traffic: () => {
      let { sent, received } = gone;
      for (const tcp of open.keys()) {
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
};

/** For Node's HTTP client and for `ws`. */
export function createCountedAgent({ secure, onSocket }: CountedAgentOptions): Agent {
  return secure ? new CountedHttpsAgent(onSocket) : new CountedHttpAgent(onSocket);
}

type Connect = Agent['createConnection'];
type Where = {
  readonly host?: string | null | undefined;
  readonly port?: string | number | null | undefined;
};

function tcpTo(options: Parameters<Connect>[0]): Socket {
  const { host, port } = options as Where;
  return connect({ host: host ?? 'localhost', port: Number(port), noDelay: true });
}

class CountedHttpAgent extends HttpAgent {
  readonly #onSocket: SocketCounter['add'];
  constructor(onSocket: SocketCounter['add']) {
    super({ keepAlive: false });
    this.#onSocket = onSocket;
  }
  override createConnection(options: Parameters<Connect>[0]): Socket {
    const tcp = tcpTo(options);
    this.#onSocket(tcp, tcp);
    return tcp;
  }
}

class CountedHttpsAgent extends HttpsAgent {
  readonly #onSocket: SocketCounter['add'];
  constructor(onSocket: SocketCounter['add']) {
    super({ keepAlive: false });
    this.#onSocket = onSocket;
  }
  override createConnection(...[options, callback]: Parameters<Connect>): ReturnType<Connect> {
    const tcp = tcpTo(options);
    const top = super.createConnection(Object.assign({}, options, { socket: tcp }), callback);
    if (top != null) this.#onSocket(tcp, top);
    return top;
  }
}
