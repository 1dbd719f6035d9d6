/** Clients that do to HQ what no honest one would. */
import { connect as connectTcp, type Socket as TcpSocket } from 'node:net';
import { connect, type Socket } from 'socket.io-client';
import { onTestFinished } from 'vitest';

/** A Socket.IO client of a namespace that never comes back by itself; ends with the test. */
export function guest(
  url: string,
  namespace = '/agents',
  options: { readonly transport?: 'websocket' | 'polling' } = {},
): Socket {
  const socket = connect(`${url}${namespace}`, {
    transports: [options.transport ?? 'websocket'],
    reconnection: false,
    forceNew: true,
    upgrade: false,
  });
  onTestFinished(() => void socket.disconnect());
  return socket;
}

export function joined(socket: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket));
    socket.once('connect_error', reject);
    // HQ may have closed it before it could join.
    socket.io.once('close', (reason) => reject(new Error(`closed before it joined: ${reason}`)));
  });
}

/** Resolves when the connection has ended, for whatever reason. */
export function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('disconnect', () => resolve());
    if (socket.disconnected && !socket.active) resolve();
  });
}

/** A TCP connection that says `text`; all that it is told is kept. Ends with the test. */
export function say(
  url: string,
  text: string | Uint8Array,
): { readonly socket: TcpSocket; readonly heard: () => string } {
  const { port, hostname } = new URL(url);
  const socket = connectTcp(Number(port), hostname);
  let heard = '';
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    heard = (heard + chunk.toString('latin1')).slice(-10_000);
  });
  if (text.length > 0) socket.write(text);
  onTestFinished(() => void socket.destroy());
  return { socket, heard: () => heard };
}

export type RawSocket = {
  readonly send: (data: string | Uint8Array<ArrayBuffer>) => void;
  readonly closed: () => boolean;
};

/** An Engine.IO connection over WebSocket that speaks no Socket.IO unless told so. Ends with the test. */
export async function rawSocket(url: string): Promise<RawSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  onTestFinished(() => socket.close());
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('message', () => resolve(), { once: true });
    socket.addEventListener('error', () => reject(new Error('no WebSocket')), { once: true });
  });
  return { send: (data) => socket.send(data), closed: () => socket.readyState === WebSocket.CLOSED };
}
