/** Bytes that a connection of Engine.IO has received, also those of a message that is not here whole. */
import type { Socket as TcpSocket } from 'node:net';

/** Of Engine.IO's transports only this much is used; they are looked at, not trusted. */
export type EngineTransport = { readonly name: string };

/**
 * What counts is whether it is another number than before. A WebSocket has one TCP connection; a client that polls has
 * one for each request, of which the present one that sends is counted.
 */
export function receivedBytes(transport: EngineTransport): number {
  const holder: unknown = Reflect.get(transport, transport.name === 'websocket' ? 'socket' : 'dataReq');
  if (typeof holder !== 'object' || holder === null) return 0;
  return bytesOf(Reflect.get(holder, transport.name === 'websocket' ? '_socket' : 'socket'));
}

function bytesOf(tcp: unknown): number {
  if (typeof tcp !== 'object' || tcp === null || !('bytesRead' in tcp)) return 0;
  const { bytesRead } = tcp as Pick<TcpSocket, 'bytesRead'>;
  return Number.isFinite(bytesRead) ? bytesRead : 0;
}
