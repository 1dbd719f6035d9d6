/**
 * Bounds the connections of one address, so that one machine cannot take all that HQ has. Without a proxy they are
 * counted as they come; behind proxies, where each has the proxy's address, those of Socket.IO by what it says of the
 * client.
 */
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { DropArgument, Socket } from 'node:net';
import type { Server } from 'socket.io';
import type { Emit } from '../../platform/telemetry.ts';
import { clientAddress } from '../client-address.ts';
import type { ConnectionLimits } from '../connection-limits.ts';
import type { HqAlarms } from '../hq-alarms.ts';
import { networkOf } from '../network-of.ts';
import type { GatewayEvents } from './gateway-events.ts';

export type ConnectionBounds = ConnectionLimits & {
  readonly trustedProxies: number;
  readonly alarms: Pick<HqAlarms, 'note'>;
  readonly emit: Emit<GatewayEvents>;
};

/** Returns what ends the connection's count; null: there are too many of this address. */
type Count = (address: string) => (() => void) | null;

function countByAddress(max: number): Count {
  const counts = new Map<string, number>();
  return (address) => {
    const network = networkOf(address);
    const count = counts.get(network) ?? 0;
    if (count >= max) return null;
    counts.set(network, count + 1);
    return () => {
      const left = (counts.get(network) ?? 1) - 1;
      if (left > 0) counts.set(network, left);
      else counts.delete(network);
    };
  };
}

function refusalsTo({ max, maxPerAddress, alarms, emit }: ConnectionBounds) {
  return {
    all: (address: string) => {
      emit({ type: 'connection_refused', reason: 'all', address });
      alarms.note(
        'connections_full',
        `HQ has ${max} connections and takes no more (limits.maxConnections, or the files that it may open)`,
      );
    },
    address: (address: string) => {
      emit({ type: 'connection_refused', reason: 'address', address });
      alarms.note(
        'connections_of_address',
        `${address} has ${maxPerAddress} connections and gets no more (limits.maxConnectionsPerAddress)`,
      );
    },
  };
}

/** To be called before others listen for connections. */
export function boundConnections(server: HttpServer, bounds: ConnectionBounds): void {
  const refused = refusalsTo(bounds);
  const count = countByAddress(bounds.maxPerAddress);
  server.maxConnections = bounds.max;
  server.on('drop', (dropped?: DropArgument) => refused.all(dropped?.remoteAddress ?? ''));
  if (bounds.trustedProxies > 0) return;
  server.prependListener('connection', (tcp: Socket) => {
    const address = tcp.remoteAddress ?? '';
    const end = count(address);
    if (end !== null) {
      tcp.once('close', end);
      return;
    }
    refused.address(address);
    tcp.destroy();
  });
}

type EngineSocket = {
  readonly request: IncomingMessage;
  readonly remoteAddress: string;
  readonly once: (event: 'close', listener: () => void) => void;
  readonly close: (discard: boolean) => void;
};

/** The same for clients of Socket.IO behind proxies. */
export function boundProxied(io: Server, bounds: ConnectionBounds): void {
  const { trustedProxies, maxPerAddress } = bounds;
  if (trustedProxies === 0) return;
  const refused = refusalsTo(bounds);
  const count = countByAddress(maxPerAddress);
  io.engine.on('connection', (socket: EngineSocket) => {
    const address = clientAddress(socket.request.headers, socket.remoteAddress, trustedProxies);
    const end = count(address);
    if (end !== null) {
      socket.once('close', end);
      return;
    }
    refused.address(address);
    socket.close(true);
  });
}
