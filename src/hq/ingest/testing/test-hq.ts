/** HQ's ingest on a free port over a memory storage, and agents' sockets, for tests. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { firstValueFrom, of } from 'rxjs';
import { Server } from 'socket.io';
import { io as connect, type Socket } from 'socket.io-client';
import { onTestFinished } from 'vitest';
import { createSystemClock } from '../../../platform/clock.ts';
import { silentLogger } from '../../../platform/logger.ts';
import { createEmit, createRegistry } from '../../../platform/telemetry.ts';
import { compactParser } from '../../../protocol/compact/socketio-parser.ts';
import type { Hello, Lane } from '../../../protocol/events.ts';
import type { InternedSchema } from '../../../protocol/sample.ts';
import { createMemoryStorage, type MemoryStorageOptions } from '../../../storage/memory/memory-storage.ts';
import { createAccess } from '../../access.ts';
import type { HqStore } from '../../store/store.ts';
import { closeStore, dataFrame, EPOCH, openStore, schema } from '../../store/testing/frames.ts';
import { type AgentsGateway, type AttachAgentsOptions, attachAgents } from '../core/attach-agents.ts';
import { createIngestCore, type IngestCore } from '../core/ingest-core.ts';
import { type IngestEmit, ingestEvents } from '../core/ingest-events.ts';
import type { IngestLimits } from '../core/ingest-shared.ts';
import { createSocketIoAgents } from '../socketio/socketio-agents.ts';

export const TOKEN = 'secret';

export type TestHq = {
  readonly url: string;
  readonly store: HqStore;
  readonly ingest: IngestCore;
  readonly gateway: AgentsGateway;
  readonly io: Server;
  /** Every event told so far. */
  readonly events: Parameters<IngestEmit>[0][];
  /** A connected socket of the namespace; `raw`: as it is, whatever becomes of it. */
  readonly join: (token?: string) => Promise<Socket>;
  readonly raw: (namespace: string, token?: string) => Socket;
};

export type TestHqOptions = {
  readonly storage?: MemoryStorageOptions;
  readonly limits?: Partial<IngestLimits>;
  /** Default: as of the group commit. */
  readonly maxQueueBytes?: number;
  /** Puts another engine before the store in memory. */
  readonly engine?: (store: HqStore) => HqStore;
} & Partial<
  Pick<
    AttachAgentsOptions,
    'chaos' | 'clock' | 'isStoring' | 'access' | 'helloTimeoutMs' | 'identity' | 'recheckMs'
  >
>;

const LIMITS: IngestLimits = {
  maxFrameBytes: 256 * 1024,
  maxFrameSamples: 4096,
  maxSeries: 100,
  maxSchemas: 1_000,
  maxAgents: 100,
  creditFrames: 8,
  drainSlots: 64,
  liveFramesPerSecond: 500,
  framesPerSecond: 2_000,
  bytesPerSecond: 64 * 1024 * 1024,
  maxPendingHellos: 100,
  leastBytesPerSecond: 5,
  reconnectsPerSecond: 100,
};

/** Closed when the test ends. */
export async function startHq(options: TestHqOptions = {}): Promise<TestHq> {
  const http = createServer();
  const io = new Server(http, {
    maxHttpBufferSize: 1024 * 1024,
    connectTimeout: 5_000,
    transports: ['websocket'],
    parser: compactParser,
  });
  const { storage = {}, limits: given, maxQueueBytes, engine = (store) => store, ...rest } = options;
  const limits = { ...LIMITS, ...given };
  const store = engine(await openStore(createMemoryStorage(storage), { clock: createSystemClock() }));
  const events: TestHq['events'] = [];
  const emitToMetrics = createEmit(ingestEvents, { logger: silentLogger, registry: createRegistry() });
  const clock = createSystemClock();
  const emit: IngestEmit = (event) => {
    events.push(event);
    emitToMetrics(event);
  };
  const ingest = await firstValueFrom(
    createIngestCore({ store, clock, emit, limits, maxDeliveries: 256, maxQueueBytes }),
  );
  const gateway = attachAgents({
    server: createSocketIoAgents(io, 0),
    store,
    ingest,
    access: createAccess({ agentToken: TOKEN, operatorToken: '', allowedHosts: [] }),
    chaos: { admit: () => of('pass' as const) },
    isStoring: () => true,
    clock,
    limits,
    emit,
    ...rest,
  });
  await new Promise<void>((resolve) => void http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const sockets: Socket[] = [];
  const raw = (namespace: string, token = TOKEN) => {
    const socket = connect(`${url}${namespace}`, {
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      auth: { token },
    });
    sockets.push(socket);
    return socket;
  };
  onTestFinished(async () => {
    for (const socket of sockets) socket.disconnect();
    await firstValueFrom(gateway.close(), { defaultValue: undefined });
    await new Promise<void>((resolve) => void io.close(() => resolve()));
    await closeStore(store);
  });
  return {
    url,
    store,
    ingest,
    gateway,
    io,
    events,
    raw,
    join: (token) =>
      new Promise((resolve, reject) => {
        const socket = raw('/agents', token);
        socket.on('connect', () => resolve(socket));
        socket.on('connect_error', reject);
      }),
  };
}

/** Sends an event and gives the answer; rejects when none comes. */
export function ask(socket: Socket, event: string, ...args: unknown[]): Promise<Record<string, unknown>> {
  return socket.timeout(10_000).emitWithAck(event, ...args);
}

/** Each agent has an epoch of its own; that of a1 is the one of the test frames. */
export function epochOf(agent: string): string {
  return agent === 'a1' ? EPOCH : Buffer.from(agent).toString('hex').padEnd(12, '0').slice(0, 12);
}

export function helloOf(agent: string, more: Partial<Hello> = {}): Hello {
  return {
    protocol: 1,
    schema: 1,
    agent,
    epoch: epochOf(agent),
    instance: `${agent}-1`,
    version: '0.1.0',
    sampled: 0,
    released: 0,
    ts: Date.UTC(2026, 0, 1),
    ...more,
  };
}

export const HEARTBEAT = {
  ts: 0,
  state: 'live',
  breaker: 'closed',
  sampled: 12,
  released: 0,
  pending: 2,
  pendingBytes: 100,
  dropped: {},
  lagMs: 0,
  rttMs: 3,
};

/** A socket that has said hello and made its schema known. */
export async function joinAs(hq: TestHq, agent: string, more: Partial<Hello> = {}): Promise<Socket> {
  const socket = await hq.join();
  const reply = await ask(socket, 'hello', helloOf(agent, more));
  if (reply.ok !== true) throw new Error(`hello refused: ${JSON.stringify(reply)}`);
  await announce(socket);
  return socket;
}

/** Makes a schema known, by default that of the test frames. */
export function announce(socket: Socket, { ref, ...content }: InternedSchema = schema) {
  return ask(socket, 'schema', { ref, schema: content });
}

/** Sends a frame of the seqs `first … last` of an agent's epoch. */
export function send(
  socket: Socket,
  lane: Lane,
  [first, last]: readonly [number, number],
  agent = 'a1',
): Promise<Record<string, unknown>> {
  return ask(socket, 'frame', { lane }, dataFrame(first, last, { epoch: epochOf(agent) }).bytes);
}

/** Resolves once the socket is disconnected. */
export const ended = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    if (socket.disconnected) resolve('before');
    else socket.on('disconnect', resolve);
  });
