/** A WebSocket whose packets come whole: an event with its attachments, or a compact message by itself. */
import { EventEmitter } from 'node:events';
import type { RawData, WebSocket } from 'ws';
import { type Packet, parsePacket, type SocketPacket } from './packets.ts';

export type Heard =
  | { readonly kind: 'packet'; readonly packet: Packet; readonly attachments: readonly Uint8Array[] }
  | { readonly kind: 'compact'; readonly bytes: Uint8Array };

/** Every message, both ways, in order. */
export type Said = { readonly from: 'us' | 'them'; readonly content: string | Uint8Array };

export type RawSocket = {
  readonly said: readonly Said[];
  readonly send: (...messages: readonly (string | Uint8Array)[]) => void;
  readonly onHeard: (listener: (heard: Heard) => void) => void;
  readonly onClosed: (listener: () => void) => void;
  readonly isClosed: () => boolean;
  readonly close: () => void;
};

export function rawSocket(socket: WebSocket): RawSocket {
  const said: Said[] = [];
  const emitter = new EventEmitter();
  let closed = false;
  let announced: { packet: SocketPacket; attachments: Uint8Array[] } | null = null;
  const tell = (heard: Heard) => void emitter.emit('heard', heard);
  socket.on('message', (data: RawData, isBinary: boolean) => {
    const bytes = Uint8Array.from(Buffer.isBuffer(data) ? data : Buffer.concat([data].flat() as Buffer[]));
    const content = isBinary ? bytes : Buffer.from(bytes).toString();
    said.push({ from: 'them', content });
    if (typeof content === 'string') {
      const packet = parsePacket(content);
      if ('attachments' in packet && packet.attachments > 0) announced = { packet, attachments: [] };
      else tell({ kind: 'packet', packet, attachments: [] });
      return;
    }
    if (announced === null) return tell({ kind: 'compact', bytes });
    announced.attachments.push(bytes);
    if (announced.attachments.length < announced.packet.attachments) return;
    const whole = announced;
    announced = null;
    tell({ kind: 'packet', ...whole });
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    closed = true;
    emitter.emit('closed');
  });
  return {
    said,
    send: (...messages) => {
      if (closed) return;
      for (const content of messages) {
        said.push({ from: 'us', content });
        socket.send(content);
      }
    },
    onHeard: (listener) => void emitter.on('heard', listener),
    onClosed: (listener) => {
      if (closed) listener();
      else emitter.once('closed', listener);
    },
    isClosed: () => closed,
    close: () => socket.terminate(),
  };
}
