/**
 * As much of RFC 6455 as a benchmark needs to speak with thousands of sockets, or to listen in, at little cost: whole
 * messages in one frame each, no extensions.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

export const OPCODE = { text: 1, binary: 2, close: 8 } as const;
const FIN = 0x80;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

type Message = { readonly opcode: number; readonly payload: Buffer };

/** Takes bytes as they come and gives whole messages; `skipHead` passes over the HTTP head before them. */
export function createReader(skipHead: boolean): (chunk: Buffer) => Message[] {
  let rest: Buffer = Buffer.alloc(0);
  let inHead = skipHead;
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    if (inHead) {
      const end = rest.indexOf('\r\n\r\n');
      if (end < 0) return [];
      rest = rest.subarray(end + 4);
      inHead = false;
    }
    const messages: Message[] = [];
    for (;;) {
      const next = readMessage(rest);
      if (next === null) return messages;
      messages.push(next.message);
      rest = rest.subarray(next.length);
    }
  };
}

function readMessage(bytes: Buffer): { message: Message; length: number } | null {
  if (bytes.length < 2) return null;
  const opcode = bytes.readUInt8(0) & 0x0f;
  const masked = (bytes.readUInt8(1) & MASKED) !== 0;
  let length = bytes.readUInt8(1) & 0x7f;
  let at = 2;
  if (length === LENGTH_16 || length === LENGTH_64) {
    const width = length === LENGTH_16 ? 2 : 8;
    if (bytes.length < at + width) return null;
    length = width === 2 ? bytes.readUInt16BE(at) : Number(bytes.readBigUInt64BE(at));
    at += width;
  }
  const mask = at;
  if (masked) at += 4;
  if (bytes.length < at + length) return null;
  const payload = Buffer.from(bytes.subarray(at, at + length));
  if (masked)
    for (let i = 0; i < length; i += 1) payload[i] = (payload[i] ?? 0) ^ (bytes[mask + (i & 3)] ?? 0);
  return { message: { opcode, payload }, length: at + length };
}

/** A message of a client. The mask is zero: it protects old proxies from scripts, and there are neither here. */
function clientMessage(opcode: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(payload.length < LENGTH_16 ? 6 : payload.length < 2 ** 16 ? 8 : 14);
  head[0] = FIN | opcode;
  if (head.length === 6) head[1] = MASKED | payload.length;
  else if (head.length === 8) {
    head[1] = MASKED | LENGTH_16;
    head.writeUInt16BE(payload.length, 2);
  } else {
    head[1] = MASKED | LENGTH_64;
    head.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  return Buffer.concat([head, payload]);
}

export type WebSocketClient = {
  readonly send: (messages: readonly (string | Buffer)[]) => void;
  readonly socket: Socket;
};

/** Connects to `ws:` at `port` of this machine; messages that come are told. */
export function openWebSocket(
  { port, path }: { readonly port: number; readonly path: string },
  onMessage: (payload: Buffer) => void,
): WebSocketClient {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  const key = randomBytes(16).toString('base64');
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  const read = createReader(true);
  socket.on('data', (chunk) => {
    for (const { payload } of read(chunk)) onMessage(payload);
  });
  return {
    socket,
    send: (messages) => {
      const parts = messages.map((one) =>
        typeof one === 'string'
          ? clientMessage(OPCODE.text, Buffer.from(one))
          : clientMessage(OPCODE.binary, one),
      );
      socket.write(Buffer.concat(parts));
    },
  };
}
