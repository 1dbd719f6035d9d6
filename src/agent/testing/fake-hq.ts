/**
 * A small HQ for tests of the agent: real Socket.IO on a free port, memory instead of a store, and any misbehaviour a
 * test wants.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { type Coverage, cover, EMPTY_COVERAGE } from '../../protocol/coverage.ts';
import { type Heartbeat, type Hello, heartbeatSchema, helloSchema } from '../../protocol/events.ts';
import { readHeader, schemaRefsOf } from '../../protocol/frame-codec.ts';

export type FakeHqFrame = {
  readonly lane: string;
  readonly firstSeq: number;
  readonly count: number;
  readonly kind: string;
};

/** Answers of a test instead of the honest ones; undefined: the honest one. */
export type FakeHqBehaviour = {
  readonly hello?: (hello: Hello) => unknown;
  readonly frame?: (frame: FakeHqFrame) => unknown;
  readonly heartbeat?: (heartbeat: Heartbeat) => unknown;
  readonly onConnection?: (socket: Socket) => void;
  readonly maxFrameBytes?: number;
  readonly maxFrameSamples?: number;
  readonly credit?: number;
  /** Default: websocket. */
  readonly transports?: ('websocket' | 'polling')[];
  /** Socket.IO's own limit of a message. */
  readonly maxMessageBytes?: number;
  /** What connections must bring. */
  readonly token?: string;
};

export type FakeHq = {
  readonly url: string;
  readonly hellos: Hello[];
  readonly heartbeats: Heartbeat[];
  /** Every frame that arrived, also those that were refused. */
  readonly frames: FakeHqFrame[];
  readonly goodbyes: unknown[];
  readonly schemas: Set<string>;
  readonly connections: () => number;
  readonly coverage: () => Coverage;
  readonly io: Server;
  readonly close: () => Promise<void>;
};

/** Never answered. */
export const SILENCE = Symbol('silence');

export async function startFakeHq(behave: () => FakeHqBehaviour = () => ({})): Promise<FakeHq> {
  const server = createServer();
  const io = new Server(server, {
    transports: behave().transports ?? ['websocket'],
    maxHttpBufferSize: behave().maxMessageBytes ?? 1_000_000,
  });
  const hellos: Hello[] = [];
  const heartbeats: Heartbeat[] = [];
  const frames: FakeHqFrame[] = [];
  const goodbyes: unknown[] = [];
  const schemas = new Set<string>();
  let connections = 0;
  let coverage = EMPTY_COVERAGE;

  const answer = (reply: unknown, given: unknown, honest: () => unknown) => {
    if (typeof reply !== 'function' || given === SILENCE) return;
    reply(given === undefined ? honest() : given);
  };

  const agents = io.of('/agents');
  agents.use((socket, next) => {
    const { token } = behave();
    next(
      token === undefined || socket.handshake.auth.token === token ? undefined : new Error('unauthorized'),
    );
  });
  agents.on('connection', (socket) => {
    connections += 1;
    behave().onConnection?.(socket);
    socket.on('hello', (payload: unknown, reply: unknown) => {
      const hello = helloSchema.parse(payload);
      hellos.push(hello);
      const { maxFrameBytes = 256 * 1024, maxFrameSamples = 4096, credit = 8 } = behave();
      answer(reply, behave().hello?.(hello), () => ({
        ok: true,
        protocol: 1,
        ack: coverage,
        limits: { maxFrameBytes, maxFrameSamples, maxSeries: 10_000 },
        credit,
        hqTs: hello.ts,
      }));
    });
    socket.on('schema', (message: { ref: string }, reply: unknown) => {
      schemas.add(message.ref);
      answer(reply, undefined, () => ({ ok: true }));
    });
    socket.on('frame', (meta: { lane: string }, bytes: Buffer, reply: unknown) => {
      const { firstSeq, count, kind } = readHeader(bytes);
      const frame = { lane: meta.lane, firstSeq, count, kind };
      frames.push(frame);
      answer(reply, behave().frame?.(frame), () => {
        const refs = kind === 'data' ? schemaRefsOf(bytes).filter((ref) => !schemas.has(ref)) : [];
        if (refs.length > 0)
          return { ok: false, error: { code: 'unknown_schema', message: 'send it', refs } };
        coverage = cover(coverage, firstSeq, firstSeq + count - 1);
        return { ok: true, ack: coverage, credit: behave().credit ?? 8 };
      });
    });
    socket.on('heartbeat', (payload: unknown, reply: unknown) => {
      const heartbeat = heartbeatSchema.parse(payload);
      heartbeats.push(heartbeat);
      answer(reply, behave().heartbeat?.(heartbeat), () => ({ ok: true, hqTs: heartbeat.ts, ack: coverage }));
    });
    socket.on('goodbye', (payload: unknown, reply: unknown) => {
      goodbyes.push(payload);
      answer(reply, undefined, () => ({ ok: true }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    hellos,
    heartbeats,
    frames,
    goodbyes,
    schemas,
    connections: () => connections,
    coverage: () => coverage,
    io,
    close: async () => {
      await io.close();
    },
  };
}
