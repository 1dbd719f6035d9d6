/** An agent's end of a connection, as raw as it is: nothing is sent again, nothing is hidden. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { Unmet } from '../report.ts';
import { ackPacket, connectPacket, eventMessages, NAMESPACE, type SocketPacket } from './packets.ts';
import { type RawSocket, rawSocket } from './raw-socket.ts';

export const openSchema = z.looseObject({
  sid: z.string().min(1),
  pingInterval: z.number().positive(),
  pingTimeout: z.number().positive(),
});
const eventSchema = z.tuple([z.string()]).rest(z.unknown());

export type Received = { readonly event: string; readonly args: readonly unknown[] };

export type Client = {
  readonly raw: RawSocket;
  /** Sends an event that asks for an ack and gives what is answered. Throws Unmet where nothing is. */
  readonly ask: (event: string, ...args: readonly unknown[]) => Promise<unknown>;
  /** Events of HQ so far. */
  readonly received: readonly Received[];
  readonly compact: readonly Uint8Array[];
  readonly pings: () => number;
  /** Waits until it holds, at most so long; whether it does. */
  readonly until: (holds: () => boolean, ms?: number) => Promise<boolean>;
};

export type ConnectOptions = {
  readonly url: string;
  readonly auth: object;
  readonly timeoutMs: number;
  /** What `probe` is answered with; null: nothing. */
  readonly instance: string | null;
};

/** Opens a WebSocket and Engine.IO, and no namespace yet. */
export async function openSocket(url: string, timeoutMs: number) {
  const address = `${url.replace(/^http/, 'ws').replace(/\/$/, '')}/socket.io/?EIO=4&transport=websocket`;
  const socket = new WebSocket(address, { handshakeTimeout: timeoutMs, perMessageDeflate: false });
  const raw = rawSocket(socket);
  const opened = new Promise<unknown>((resolve) => {
    raw.onHeard((heard) => {
      if (heard.kind !== 'packet') return;
      if (heard.packet.type === 'open') resolve(heard.packet.data);
      if (heard.packet.type === 'ping') raw.send('3');
    });
  });
  await once(socket, 'open');
  return { raw, open: await within(opened, timeoutMs, 'the open packet of Engine.IO') };
}

/** Joins `/agents`; throws what HQ refuses it with. */
export async function connect({ url, auth, timeoutMs, instance }: ConnectOptions): Promise<Client> {
  const { raw } = await openSocket(url, timeoutMs);
  const received: Received[] = [];
  const compact: Uint8Array[] = [];
  const waiting = new Map<number, (answer: unknown) => void>();
  let pings = 0;
  let nextId = 0;
  const joined = Promise.withResolvers<void>();
  // Whoever is refused later hears of it by what he asks.
  joined.promise.catch(() => {});

  const heardEvent = ({ data, id }: SocketPacket) => {
    const parsed = eventSchema.safeParse(data);
    if (!parsed.success) return;
    const [event, ...args] = parsed.data;
    received.push({ event, args });
    if (event === 'probe' && id !== null && instance !== null) raw.send(ackPacket(id, { instance }));
  };
  raw.onHeard((heard) => {
    if (heard.kind === 'compact') return void compact.push(heard.bytes);
    const { packet } = heard;
    if (packet.type === 'ping') pings += 1;
    if (!('namespace' in packet) || packet.namespace !== NAMESPACE) return;
    if (packet.type === 'connect') joined.resolve();
    else if (packet.type === 'connect_error') joined.reject(new Refused(packet.data));
    else if (packet.type === 'event') heardEvent(packet);
    else if (packet.type === 'ack' && packet.id !== null) {
      waiting.get(packet.id)?.(Array.isArray(packet.data) ? packet.data[0] : packet.data);
      waiting.delete(packet.id);
    }
  });
  raw.onClosed(() => joined.reject(new Unmet(`to join ${NAMESPACE}`, 'the connection was closed')));
  raw.send(connectPacket(auth));
  await within(joined.promise, timeoutMs, `an answer to CONNECT ${NAMESPACE}`);

  const until: Client['until'] = async (holds, ms = timeoutMs) => {
    const end = performance.now() + ms;
    while (!holds() && performance.now() < end) await pause(5);
    return holds();
  };
  return {
    raw,
    received,
    compact,
    pings: () => pings,
    until,
    ask: async (event, ...args) => {
      const id = nextId++;
      let answer: { readonly value: unknown } | null = null;
      waiting.set(id, (value) => {
        answer = { value };
      });
      raw.send(...eventMessages(event, args, id));
      await until(() => answer !== null || raw.isClosed());
      // TypeScript does not see the callback.
      const given = answer as { readonly value: unknown } | null;
      if (given !== null) return given.value;
      throw new Unmet(
        `an answer to ${event}`,
        raw.isClosed() ? 'the connection was closed' : `none within ${timeoutMs} ms`,
      );
    },
  };
}

/** HQ has refused the namespace; `data` is what it said. */
export class Refused extends Error {
  readonly data: unknown;
  constructor(data: unknown) {
    super(`the namespace is refused: ${JSON.stringify(data)}`);
    this.data = data;
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Unmet(what, `nothing within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
