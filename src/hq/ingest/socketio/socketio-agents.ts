/** The namespace `/agents` of a Socket.IO server as an AgentServer. */
import { Observable, Subject } from 'rxjs';
import type { DefaultEventsMap, ExtendedError, Namespace, Server, Socket } from 'socket.io';
import type { AgentMessageName } from '../../../protocol/agent-messages.ts';
import { CompactError } from '../../../protocol/compact/compact-error.ts';
import { COMPACT_EVENT } from '../../../protocol/compact/socketio-parser.ts';
import type { HqToAgentEvents, WireError } from '../../../protocol/events.ts';
import { handshakeRequest } from '../../access.ts';
import { clientAddress } from '../../client-address.ts';
import { receivedBytes } from '../../received-bytes.ts';
import type { AgentPeer, AgentServer, PeerMessage } from '../core/agent-server.ts';
import { createCompactPeer } from './compact-peer.ts';

type Incoming = { readonly [K in AgentMessageName]: (...args: unknown[]) => void };
type Outgoing = HqToAgentEvents & { readonly [COMPACT_EVENT]: (bytes: Uint8Array) => void };
type AgentSocket = Socket<Incoming, Outgoing, DefaultEventsMap, unknown>;

/** `trustedProxies`: see client-address.ts. */
export function createSocketIoAgents(io: Server, trustedProxies: number): AgentServer {
  const namespace: Namespace<Incoming, Outgoing, DefaultEventsMap, unknown> = io.of('/agents');
  return {
    serve: (admit) =>
      new Observable((subscriber) => {
        namespace.use((socket, next) => {
          const { handshake } = socket;
          admit(
            handshakeRequest(handshake),
            clientAddress(handshake.headers, handshake.address, trustedProxies),
          ).subscribe((error) => {
            if (error === null) next();
            else next(withData(error));
          });
        });
        const onConnection = (socket: AgentSocket) => subscriber.next(peerOf(socket, trustedProxies));
        namespace.on('connection', onConnection);
        return () => {
          namespace.off('connection', onConnection);
          namespace.disconnectSockets(true);
        };
      }),
  };
}

function peerOf(socket: AgentSocket, trustedProxies: number): AgentPeer {
  const { handshake } = socket;
  const compact = createCompactPeer((bytes) => void socket.emit(COMPACT_EVENT, bytes));
  const broken$ = new Subject<string>();
  /** Null: it cannot be understood, nor can what follows. */
  const understood = (event: unknown, args: readonly unknown[]): PeerMessage | null => {
    if (event !== COMPACT_EVENT || args.length !== 1) return compact.watched({ event, args });
    try {
      return compact.received(args[0]);
    } catch (error) {
      if (!(error instanceof CompactError)) throw error;
      broken$.next(`compact message: ${error.code}: ${error.message}`);
      socket.disconnect(true);
      return null;
    }
  };
  return {
    address: clientAddress(handshake.headers, handshake.address, trustedProxies),
    credentials: handshakeRequest(handshake),
    messages$: new Observable<PeerMessage>((subscriber) => {
      const onAny = (event: unknown, ...args: unknown[]) => {
        const message = understood(event, args);
        if (message !== null) subscriber.next(message);
      };
      socket.onAny(onAny);
      return () => void socket.offAny(onAny);
    }),
    faults$: new Observable<string>((subscriber) => {
      const onError = (error: Error) => subscriber.next(`socket error: ${error.message}`);
      socket.on('error', onError);
      const broken = broken$.subscribe(subscriber);
      return () => {
        socket.off('error', onError);
        broken.unsubscribe();
      };
    }),
    ended$: new Observable<string>((subscriber) => {
      const onEnd = (reason: string) => {
        subscriber.next(reason);
        subscriber.complete();
      };
      socket.on('disconnect', onEnd);
      return () => void socket.off('disconnect', onEnd);
    }),
    sendCredit: (credit) => {
      if (!compact.sendCredit(credit)) socket.emit('credit', credit);
    },
    sendConflict: (message) => void socket.emit('conflict', { message }),
    setReading: (reading) => {
      const line = lineOf(socket);
      if (reading) line?.resume();
      else line?.pause();
    },
    probe: () =>
      new Observable((subscriber) => {
        const gone = () => subscriber.error(new Error('the connection ended'));
        socket.on('disconnect', gone);
        socket.emit('probe', (answer: unknown) => {
          subscriber.next(answer);
          subscriber.complete();
        });
        return () => void socket.off('disconnect', gone);
      }),
    disconnect: () => void socket.disconnect(true),
    received: () => receivedBytes(socket.conn.transport),
  };
}

type Pausable = { readonly pause: () => void; readonly resume: () => void };

/**
 * The WebSocket beneath, which can hold its sender back; a client that polls has none, and each of its requests waits
 * by itself.
 */
function lineOf(socket: AgentSocket): Pausable | null {
  const line: unknown = Reflect.get(socket.conn.transport, 'socket');
  return isPausable(line) ? line : null;
}

function isPausable(value: unknown): value is Pausable {
  if (typeof value !== 'object' || value === null || !('pause' in value) || !('resume' in value))
    return false;
  return typeof value.pause === 'function' && typeof value.resume === 'function';
}

/** Socket.IO hands `data` to the client's `connect_error`. */
function withData(error: WireError): ExtendedError {
  return Object.assign(new Error(error.message), { data: error });
}
