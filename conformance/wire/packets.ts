/**
 * Messages of Engine.IO 4 and Socket.IO 5 over a WebSocket, as far as the protocol needs them. Written from
 * docs/protocol.md, without the libraries: what they would mend is to be seen.
 */
export const NAMESPACE = '/agents';

export type SocketPacket = {
  readonly type: 'connect' | 'disconnect' | 'event' | 'ack' | 'connect_error';
  readonly namespace: string;
  /** Of an event that asks for an ack, or of an ack. */
  readonly id: number | null;
  /** Parsed JSON; bytes stand in it as placeholders. */
  readonly data: unknown;
  /** Binary messages that follow. */
  readonly attachments: number;
};
export type Packet =
  | { readonly type: 'open'; readonly data: unknown }
  | { readonly type: 'close' | 'ping' | 'pong' | 'other' }
  | SocketPacket;

const ENGINE_TYPES: Readonly<Record<string, 'close' | 'ping' | 'pong'>> = {
  '1': 'close',
  '2': 'ping',
  '3': 'pong',
};
const SOCKET_TYPES = ['connect', 'disconnect', 'event', 'ack', 'connect_error', 'event', 'ack'] as const;
const SOCKET_PACKET = /^([0-6])(?:(\d+)-)?(?:(\/[^,]*),?)?(\d*)(.*)$/s;

/** What a text message says; `other` where it is none of these. */
export function parsePacket(text: string): Packet {
  const [engine = ''] = text;
  if (engine === '0') return { type: 'open', data: parseJson(text.slice(1)) };
  const known = ENGINE_TYPES[engine];
  if (known !== undefined) return { type: known };
  const match = engine === '4' ? SOCKET_PACKET.exec(text.slice(1)) : null;
  if (match === null) return { type: 'other' };
  const [, kind = '', attachments, namespace = '/', id, json = ''] = match;
  const type = SOCKET_TYPES[Number(kind)];
  if (type === undefined) return { type: 'other' };
  return {
    type,
    namespace,
    id: id === '' || id === undefined ? null : Number(id),
    data: json === '' ? null : parseJson(json),
    attachments: Number(attachments ?? 0),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const connectPacket = (auth: object): string => `40${NAMESPACE},${JSON.stringify(auth)}`;

export const ackPacket = (id: number, answer: unknown): string =>
  `43${NAMESPACE},${id}${JSON.stringify([answer])}`;

/** The messages of an event; bytes among its arguments follow as binary messages. `id`: it asks for an ack. */
export function eventMessages(event: string, args: readonly unknown[], id: number | null) {
  const attachments: Uint8Array[] = [];
  const data = args.map((one) => {
    if (!(one instanceof Uint8Array)) return one;
    attachments.push(one);
    return { _placeholder: true, num: attachments.length - 1 };
  });
  const head = attachments.length === 0 ? '42' : `45${attachments.length}-`;
  return [`${head}${NAMESPACE},${id ?? ''}${JSON.stringify([event, ...data])}`, ...attachments];
}
