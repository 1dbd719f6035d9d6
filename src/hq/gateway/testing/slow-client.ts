/** Clients by bare TCP, so that a test decides about each byte. */
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export type SlowClient = {
  readonly tcp: Socket;
  readonly send: (data: string | Uint8Array) => void;
  /** All that has come, as text. */
  readonly received: () => string;
  readonly isClosed: () => boolean;
};

export function connectSlowly(port: number): SlowClient {
  let received = '';
  let closed = false;
  const tcp = connect(port, '127.0.0.1');
  tcp.setNoDelay(true);
  tcp.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  tcp.on('error', () => {});
  tcp.on('close', () => {
    closed = true;
  });
  onTestFinished(() => void tcp.destroy());
  return {
    tcp,
    send: (data) => {
      if (!tcp.destroyed) tcp.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
    },
    received: () => received,
    isClosed: () => closed,
  };
}

export const UPGRADE = [
  'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
  'Host: 127.0.0.1',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  '\r\n',
].join('\r\n');

/** A text message as a client sends it, masked with zeros; `bytes`: claims to be longer than it is. */
export function messageOf(text: string, bytes = text.length): Buffer {
  const length = bytes < 126 ? [0x80 | bytes] : [0xfe, bytes >> 8, bytes & 0xff];
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), Buffer.from(text, 'latin1')]);
}
