/** The parser between a real server and clients: ours, and one with the stock parser. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket as ServerSocket } from 'socket.io';
import { io as connect, type Socket } from 'socket.io-client';
import { expect, it, onTestFinished } from 'vitest';
import { COMPACT_EVENT, compactParser } from './socketio-parser.ts';

type Options = { readonly parser?: typeof compactParser; readonly transports?: string[] };

async function pair(options: Options = { parser: compactParser }, namespace = '/agents') {
  const http = createServer();
  const server = new Server(http, { parser: compactParser });
  const joined = new Promise<ServerSocket>((resolve) => {
    server.of(namespace).on('connection', resolve);
  });
  await new Promise<void>((resolve) => void http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const client = connect(`${url}${namespace}`, {
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    ...options,
  });
  onTestFinished(async () => {
    client.disconnect();
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  });
  const peer = await joined;
  if (!client.connected) await new Promise<void>((resolve) => void client.on('connect', resolve));
  return { client, peer };
}

const next = (socket: Socket | ServerSocket, event: string) =>
  new Promise<unknown[]>((resolve) => {
    // Their types agree on what they do with any event, but not on that of its name.
    const { once } = socket as { once: (name: string, listener: (...args: unknown[]) => void) => void };
    once.call(socket, event, (...args) => resolve(args));
  });
const bytes = Uint8Array.of(1, 2, 250);

it.each(['websocket', 'polling'])(
  'brings compact messages both ways by %s, in order with others',
  async (transport) => {
    const { client, peer } = await pair({ parser: compactParser, transports: [transport] });
    const order: string[] = [];
    peer.onAny((event) => void order.push(String(event)));
    const compact = next(peer, COMPACT_EVENT);
    const text = next(peer, 'after');
    client.emit('before', 1);
    client.emit('frame', {}, bytes);
    client.emit(COMPACT_EVENT, bytes);
    client.emit('after', { is: 'text' });
    const [received] = await compact;
    expect(new Uint8Array(received as Uint8Array)).toEqual(bytes);
    await text;
    expect(order).toEqual(['before', 'frame', COMPACT_EVENT, 'after']);
    const back = next(client, COMPACT_EVENT);
    peer.emit(COMPACT_EVENT, bytes);
    expect(new Uint8Array((await back)[0] as Uint8Array)).toEqual(bytes);
  },
);

it('is one binary WebSocket message without a header', async () => {
  const { client } = await pair();
  const sent: unknown[] = [];
  client.io.engine.on('packetCreate', (packet: { data?: unknown }) => sent.push(packet.data));
  client.emit(COMPACT_EVENT, bytes);
  expect(sent).toEqual([bytes]);
});

it('leaves what the stock parser of a client says as it is', async () => {
  const { client, peer } = await pair({});
  peer.on('frame', (meta: unknown, frame: Uint8Array, reply: (answer: unknown) => void) =>
    reply({ meta, frame }),
  );
  const answer = await client.timeout(5_000).emitWithAck('frame', { lane: 'live' }, bytes);
  expect(answer.meta).toEqual({ lane: 'live' });
  expect(new Uint8Array(answer.frame)).toEqual(bytes);
});

it('closes who sends bare bytes without having joined /agents', async () => {
  const { client, peer } = await pair({ parser: compactParser }, '/dashboard');
  const gone = next(client, 'disconnect');
  const seen: unknown[] = [];
  peer.onAny((event) => seen.push(event));
  client.io.engine.write(bytes as never);
  await gone;
  expect(seen).toEqual([]);
});

it('takes bytes for the attachment that a text before them awaits', async () => {
  const { client, peer } = await pair({});
  const compact: unknown[] = [];
  peer.on(COMPACT_EVENT, (one) => compact.push(one));
  const both = next(peer, 'two');
  client.emit('two', bytes, Uint8Array.of(9));
  expect((await both).map((one) => [...(one as Uint8Array)])).toEqual([[1, 2, 250], [9]]);
  expect(compact).toEqual([]);
});
