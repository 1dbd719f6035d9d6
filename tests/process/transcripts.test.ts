/** What Holdfast 0.1 said, played to both ends of this version: protocol 1 goes on to work. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { firstValueFrom, type Observable } from 'rxjs';
import { expect, it, onTestFinished } from 'vitest';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';
import type { LinkEvent, LinkSession } from '../../src/agent/uplink/link.ts';
import { createSocketIoLink } from '../../src/agent/uplink/socketio-link.ts';
import { createAccess } from '../../src/hq/access.ts';
import { startHq } from '../../src/hq/ingest/testing/test-hq.ts';
import { ledgerOf } from '../../src/hq/store/testing/read.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { coverageSchema, covers } from '../../src/protocol/coverage.ts';
import {
  frameMetaSchema,
  goodbyeSchema,
  heartbeatSchema,
  helloSchema,
  schemaMessageSchema,
} from '../../src/protocol/events.ts';
import type { FrameHeader } from '../../src/protocol/frame.ts';
import { readHeader } from '../../src/protocol/frame-codec.ts';
import { eventually } from '../support/eventually.ts';
import { type Message, packetOf, readTranscript } from '../support/transcripts/transcript.ts';

const connections = readTranscript('protocol-1.jsonl');
const answerSchema = z.looseObject({ ok: z.boolean(), ack: coverageSchema.optional() });

function contentOf(data: RawData, binary: boolean): string | Buffer {
  if (!Buffer.isBuffer(data)) throw new Error('a message in pieces');
  return binary ? data : data.toString();
}

it('HQ serves an agent of 0.1 as HQ 0.1 did', async () => {
  const hq = await startHq({
    access: createAccess({ agentToken: '', operatorToken: '', allowedHosts: [] }),
    limits: { maxSeries: 10_000 },
  });
  for (const messages of connections) {
    const socket = new WebSocket(`${hq.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    const said: (string | Buffer)[] = [];
    socket.on('message', (data, binary) => said.push(contentOf(data, binary)));
    await once(socket, 'open');
    const frames = framesOf(messages);
    for (const { from, content } of messages) {
      if (from === 'agent') socket.send(content);
      else await eventually(() => expectLike(said, content, frames), { interval: 5 });
    }
    expect(said.filter((one) => typeof one !== 'string')).toEqual([]);
    socket.terminate();
    await eventually(() => expect(hq.gateway.connectedAgents()).toBe(0));
  }
  const [ledger] = await ledgerOf(hq.store, 'recorded');
  expect(ledger).toMatchObject({ pending: 0, stored: ledger?.sampled });
  expect(ledger?.stored).toBeGreaterThan(50);
  expect(hq.events.filter(({ type }) => type === 'violation')).toEqual([]);
});

/**
 * Among what HQ has said is what HQ 0.1 said here, but for times and ids, and for how far it has come with other
 * frames.
 */
function expectLike(
  said: readonly (string | Buffer)[],
  recorded: string | Buffer,
  frames: ReadonlyMap<number, FrameHeader>,
): void {
  const packet = packetOf(recorded);
  if (packet === null || packet.kind === 'event') {
    const kind = String(recorded).slice(0, 2);
    if (packet === null) expect(said.some((one) => String(one).startsWith(kind))).toBe(true);
    return;
  }
  const found = said.map(packetOf).find((one) => one?.kind === 'answer' && one.id === packet.id);
  const now = answerSchema.parse(found?.data[0]);
  const { hqTs, ack, credit, ...same } = answerSchema.parse(packet.data[0]);
  expect(now).toMatchObject(same);
  expect([now.hqTs, now.credit, now.ack].map((one) => typeof one)).toEqual(
    [hqTs, credit, ack].map((one) => typeof one),
  );
  const frame = frames.get(packet.id ?? -1);
  if (frame === undefined || now.ack === undefined) return;
  expect(covers(now.ack, frame.firstSeq, frame.firstSeq + frame.count - 1)).toBe(true);
}

/** The frames of a connection by the number of their event. */
function framesOf(messages: readonly Message[]): Map<number, FrameHeader> {
  const frames = new Map<number, FrameHeader>();
  for (const [at, { content }] of messages.entries()) {
    const packet = packetOf(content);
    const bytes = messages[at + 1]?.content;
    if (packet?.data[0] === 'frame' && packet.id !== null && typeof bytes === 'object')
      frames.set(packet.id, readHeader(bytes));
  }
  return frames;
}

it('an agent says to HQ 0.1 what an agent of 0.1 did, but for the versions that it speaks', async () => {
  for (const messages of connections) {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    const connected = once(server, 'connection');
    await once(server, 'listening');
    const link = createSocketIoLink({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      token: () => undefined,
      instance: 'me',
      connectTimeoutMs: 60_000,
      clock: createSystemClock(),
    });
    const events: LinkEvent[] = [];
    const connection = link.connect().subscribe({ next: (event) => events.push(event), error: () => {} });
    onTestFinished(() => {
      connection.unsubscribe();
      server.close();
    });
    const [socket]: WebSocket[] = await connected;
    if (socket === undefined) throw new Error('no connection');
    const said: (string | Buffer)[] = [];
    socket.on('message', (data, binary) => said.push(contentOf(data, binary)));

    const answers = new Map<number, Promise<unknown>>();
    const expected: (string | Buffer)[] = [];
    for (const [at, { from, content }] of messages.entries()) {
      if (from === 'hq') {
        await eventually(() => expect(said.length).toBe(expected.length), { interval: 2 });
        socket.send(content);
        const packet = packetOf(content);
        if (packet?.kind === 'answer') expect(await answers.get(packet.id ?? -1)).toEqual(packet.data[0]);
        else if (packet === null && String(content).startsWith('40'))
          await eventually(() => expect(events[0]?.type).toBe('open'));
        continue;
      }
      expected.push(content);
      const packet = packetOf(content);
      const [open] = events;
      if (packet !== null && open?.type === 'open')
        answers.set(packet.id ?? -1, firstValueFrom(request(open.session, packet.data, messages[at + 1])));
      // It leaves at the end.
      if (content === '41/agents,') connection.unsubscribe();
    }
    await eventually(() => expect(said.length).toBe(expected.length));
    expect(said.map(withoutVersions)).toEqual(expected);
    expect(said.filter((one) => String(one).includes('"protocols":[1,2]'))).toHaveLength(1);
    socket.terminate();
  }
});

const withoutVersions = (content: string | Buffer) =>
  typeof content === 'string' ? content.replace(',"protocols":[1,2]', '') : content;

function request(
  session: LinkSession,
  [event, payload]: readonly unknown[],
  next: Message | undefined,
): Observable<unknown> {
  switch (event) {
    case 'hello':
      return session.hello({ ...ordered(payload, helloSchema), protocols: [1, 2] });
    case 'schema':
      return session.schema(ordered(payload, schemaMessageSchema));
    case 'frame':
      if (!Buffer.isBuffer(next?.content)) throw new Error('a frame without its bytes');
      return session.frame(frameMetaSchema.parse(payload), next.content);
    case 'heartbeat':
      return session.heartbeat(ordered(payload, heartbeatSchema));
    case 'goodbye':
      return session.goodbye(goodbyeSchema.parse(payload));
    default:
      throw new Error(`an event of another name: ${String(event)}`);
  }
}

/** As it was recorded: a schema would put the fields in another order. */
function ordered<T extends object>(payload: unknown, schema: z.ZodType<T>): T {
  schema.parse(payload);
  return payload as T;
}
