/**
 * An HQ that says what a test wants it to: it listens for one agent, keeps in memory what it holds, and looks at
 * everything that comes by the rules.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { type Coverage, cover, EMPTY_COVERAGE } from '../../src/protocol/coverage.ts';
import type { Hello } from '../../src/protocol/events.ts';
import { pause } from '../wire/client.ts';
import { rawSocket } from '../wire/raw-socket.ts';
import { type AgentConnection, createConnection, type FrameMessage } from './connection.ts';
import { createFrameLook } from './frame-look.ts';
import type { Policy } from './policy.ts';
import { createRules, type Rules } from './rules.ts';

export type FakeHq = {
  readonly url: string;
  readonly policy: Policy;
  readonly rules: Rules;
  readonly connections: readonly AgentConnection[];
  /** The latest one that is open. */
  readonly current: () => AgentConnection | null;
  readonly hellos: readonly { readonly hello: Hello; readonly at: number }[];
  /** Every frame that came, in order. */
  readonly frames: readonly FrameMessage[];
  /** What this HQ holds of an epoch, and what it has told of that. */
  readonly held: (epoch: string) => Coverage;
  readonly told: (epoch: string) => Coverage;
  readonly take: (frame: FrameMessage) => void;
  /** Waits until it holds; whether it does. */
  readonly until: (holds: () => boolean, ms: number) => Promise<boolean>;
  readonly stop: () => Promise<void>;
};

export type FakeHqOptions = { readonly host: string; readonly port: number; readonly token: string | null };

export async function startFakeHq({ host, port, token }: FakeHqOptions): Promise<FakeHq> {
  const policy: Policy = {
    refuseHello: null,
    helloMs: 0,
    compact: false,
    credit: 4,
    frame: () => 'take',
    accepting: true,
  };
  const rules = createRules();
  const look = createFrameLook(rules);
  const held = new Map<string, Coverage>();
  const told = new Map<string, Coverage>();
  const connections: AgentConnection[] = [];
  const hellos: { hello: Hello; at: number }[] = [];
  const frames: FrameMessage[] = [];
  const holds = (epoch: string) => held.get(epoch) ?? EMPTY_COVERAGE;
  const tell = (epoch: string) => {
    told.set(epoch, holds(epoch));
    return holds(epoch);
  };

  const take = (frame: FrameMessage) => {
    const { epoch, header } = frame;
    held.set(epoch, cover(holds(epoch), header.firstSeq, header.firstSeq + header.count - 1));
    frame.stored(tell(epoch));
  };

  const server = createServer((_request, response) => void response.writeHead(404).end());
  const sockets = new WebSocketServer({
    server,
    perMessageDeflate: false,
    verifyClient: (_info, done) => (policy.accepting ? done(true) : done(false, 503, 'not now')),
  });
  sockets.on('connection', (socket) => {
    const connection = createConnection(rawSocket(socket), {
      policy,
      rules,
      token,
      hello: (hello) => {
        hellos.push({ hello, at: performance.now() });
        return tell(hello.epoch);
      },
      told: (epoch) => told.get(epoch) ?? EMPTY_COVERAGE,
      tell,
      frame: (frame) => {
        frames.push(frame);
        const unknown = look(frame, told.get(frame.epoch) ?? EMPTY_COVERAGE);
        if (unknown.length > 0)
          return frame.refused({
            code: 'unknown_schema',
            message: 'send these schemas first',
            refs: [...unknown],
          });
        const verdict = policy.frame(frame);
        if (verdict === 'take') take(frame);
        else if (verdict === 'hold' || verdict === 'drop') return;
        else frame.refused(verdict);
      },
      schema: look.schema,
    });
    connections.push(connection);
  });
  await new Promise<void>((resolve) => void server.listen(port, host, resolve));
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${bound}`,
    policy,
    rules,
    connections,
    current: () => connections.findLast(({ raw }) => !raw.isClosed()) ?? null,
    hellos,
    frames,
    held: holds,
    told: (epoch) => told.get(epoch) ?? EMPTY_COVERAGE,
    take,
    until: async (isSo, ms) => {
      const end = performance.now() + ms;
      while (!isSo() && performance.now() < end) await pause(10);
      return isSo();
    },
    stop: async () => {
      for (const { raw } of connections) raw.close();
      sockets.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
