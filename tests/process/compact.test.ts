/**
 * The agent's link and HQ's ingest over a real socket: what protocol 2 makes of them, and what hostile clients make of
 * it.
 */
import { firstValueFrom } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LinkEvent, LinkSession } from '../../src/agent/uplink/link.ts';
import { createSocketIoLink } from '../../src/agent/uplink/socketio-link.ts';
import { helloOf, joinAs, send, startHq, type TestHq, TOKEN } from '../../src/hq/ingest/testing/test-hq.ts';
import { dataFrame, EPOCH, schema } from '../../src/hq/store/testing/frames.ts';
import { coverageOf } from '../../src/hq/store/testing/read.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { encodeDown } from '../../src/protocol/compact/down.ts';
import { NO_LEAVES } from '../../src/protocol/compact/heartbeat-delta.ts';
import { COMPACT_EVENT } from '../../src/protocol/compact/socketio-parser.ts';
import { encodeFrameMessage, encodeHeartbeatMessage } from '../../src/protocol/compact/up.ts';
import { EMPTY_COVERAGE } from '../../src/protocol/coverage.ts';
import { type Heartbeat, PROTOCOLS } from '../../src/protocol/events.ts';
import { eventually } from '../support/eventually.ts';

const HEARTBEAT: Heartbeat = {
  ts: Date.UTC(2026, 0, 1),
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

type Joined = {
  readonly session: LinkSession;
  readonly events: LinkEvent[];
  /** What HQ said since: packets of Socket.IO (an answer begins with 3) and compact messages. */
  readonly heard: (string | Buffer)[];
};

/** An agent's link that has said hello and made its schema known. */
async function joinByLink(hq: TestHq): Promise<Joined> {
  const events: LinkEvent[] = [];
  const heard: (string | Buffer)[] = [];
  hq.io.engine.on(
    'connection',
    (socket: { transport: { send: (packets: { data?: unknown }[]) => void } }) => {
      const { transport } = socket;
      const forward = transport.send.bind(transport);
      transport.send = (packets) => {
        for (const { data } of packets)
          if (typeof data === 'string' || Buffer.isBuffer(data)) heard.push(data);
          else if (data instanceof Uint8Array) heard.push(Buffer.from(data));
        forward(packets);
      };
    },
  );
  const link = createSocketIoLink({
    url: hq.url,
    token: () => TOKEN,
    instance: 'i',
    connectTimeoutMs: 60_000,
    clock: createSystemClock(),
  });
  const subscription = link.connect().subscribe({
    next: (event) => events.push(event),
    error: () => {},
  });
  onTestFinished(() => subscription.unsubscribe());
  const session = await eventually(() => {
    const [open] = events;
    if (open?.type !== 'open') throw new Error('not open yet');
    return open.session;
  });
  return { session, events, heard };
}

const hello = (session: LinkSession) =>
  firstValueFrom(session.hello({ ...helloOf('a1'), protocols: [...PROTOCOLS] }));
const frame = (session: LinkSession, first: number, last: number) =>
  firstValueFrom(session.frame({ lane: 'live' }, dataFrame(first, last).bytes));

describe('an agent that speaks protocol 2', () => {
  it('is answered as by events, in compact messages', async () => {
    const hq = await startHq();
    const { session, heard } = await joinByLink(hq);
    expect(await hello(session)).toMatchObject({ ok: true, protocol: 2 });
    heard.length = 0;
    expect(await frame(session, 1, 2)).toMatchObject({
      ok: false,
      error: { code: 'unknown_schema', refs: [schema.ref] },
    });
    const { ref, ...content } = schema;
    await firstValueFrom(session.schema({ ref, schema: content }));
    const replies = await Promise.all([frame(session, 1, 2), frame(session, 3, 3), frame(session, 6, 9)]);
    for (const reply of replies) expect(reply).toMatchObject({ ok: true, credit: 8 });
    expect(replies.at(-1)).toMatchObject({ ack: { contiguous: 3, ranges: [[6, 9]] } });
    expect(await coverageOf(hq.store)).toEqual({ contiguous: 3, ranges: [[6, 9]] });
    const beats = [HEARTBEAT, { ...HEARTBEAT, ts: HEARTBEAT.ts + 5_000, dropped: { rejected: 1 } }];
    for (const beat of beats)
      expect(await firstValueFrom(session.heartbeat(beat))).toMatchObject({
        ok: true,
        storing: true,
        ack: { contiguous: 3, ranges: [[6, 9]] },
      });
    // Only the schema was answered by text.
    expect(heard.filter((one) => typeof one === 'string' && one.startsWith('3'))).toHaveLength(1);
    expect(hq.events.filter(({ type }) => type === 'violation')).toEqual([]);
  });

  it('gets one answer for frames of one commit', async () => {
    const hq = await startHq();
    const { session, heard } = await joinByLink(hq);
    await hello(session);
    const { ref, ...content } = schema;
    await firstValueFrom(session.schema({ ref, schema: content }));
    heard.length = 0;
    const seqs = Array.from({ length: 40 }, (_, index) => index + 1);
    const replies = await Promise.all(seqs.map((seq) => frame(session, seq, seq)));
    for (const reply of replies) expect(reply.ok).toBe(true);
    expect(await coverageOf(hq.store)).toEqual({ contiguous: 40, ranges: [] });
    expect(heard.length).toBeGreaterThan(0);
    expect(heard.length).toBeLessThan(40);
  });

  it('hears of credit', async () => {
    const hq = await startHq({ limits: { drainSlots: 1 } });
    const one = await joinByLink(hq);
    await firstValueFrom(one.session.hello({ ...helloOf('a1', { sampled: 10 }), protocols: [...PROTOCOLS] }));
    // The second waits for the slot of the first, which sends nothing.
    const two = await joinByLink(hq);
    const reply = await firstValueFrom(
      two.session.hello({ ...helloOf('a2', { sampled: 10 }), protocols: [...PROTOCOLS] }),
    );
    expect(reply).toMatchObject({ ok: true, credit: 0 });
    two.heard.length = 0;
    await eventually(() =>
      expect(two.events).toContainEqual(expect.objectContaining({ type: 'credit', frames: 8 })),
    );
    expect(two.heard.some((message) => typeof message === 'string' && message.includes('credit'))).toBe(
      false,
    );
  });

  it('learns all of a coverage of many ranges, of which the answer to hello has only a page', async () => {
    const hq = await startHq();
    const earlier = await joinAs(hq, 'a1');
    await Promise.all(
      Array.from({ length: 300 }, (_, index) => send(earlier, 'live', [3 + 2 * index, 3 + 2 * index])),
    );
    const held = await coverageOf(hq.store);
    expect(held.ranges).toHaveLength(300);
    earlier.disconnect();
    const { session, heard } = await joinByLink(hq);
    expect(await hello(session)).toMatchObject({ ok: true, ack: held });
    const answers = heard.filter((one) => typeof one === 'string' && one.startsWith('3'));
    expect(answers).toHaveLength(3);
    for (const answer of answers) expect(answer.length).toBeLessThan(3_000);
  });
});

describe('a hostile client', () => {
  const live = { lane: 'live' as const, frame: dataFrame(1, 1).bytes, epoch: EPOCH };
  const violations = (hq: TestHq) =>
    hq.events.filter(({ type }) => type === 'violation').map((event) => JSON.stringify(event));
  const stillWell = async (hq: TestHq) => {
    const socket = await joinAs(hq, 'honest');
    expect(await send(socket, 'live', [1, 1], 'honest')).toMatchObject({ ok: true });
  };

  it.each([
    ['before hello', null, encodeFrameMessage(1, live)],
    ['where version 1 was agreed on', [1], encodeFrameMessage(1, live)],
    ['of an unknown type', [1, 2], Uint8Array.of(0x77, 1, 2)],
    ['of nothing', [1, 2], new Uint8Array(0)],
    [
      'that builds on a heartbeat that never came',
      [1, 2],
      encodeHeartbeatMessage({ request: 2, leaves: NO_LEAVES }, { request: 1, leaves: NO_LEAVES }),
    ],
    ['of HQ', [1, 2], encodeDown({ type: 'credit', frames: 3 })],
  ])('that sends a compact message %s is closed', async (_what, protocols, bytes) => {
    const hq = await startHq();
    const socket = hq.raw('/agents');
    await new Promise<void>((resolve) => void socket.on('connect', resolve));
    if (protocols !== null)
      await socket.timeout(10_000).emitWithAck('hello', { ...helloOf('a1'), protocols });
    const gone = new Promise((resolve) => void socket.on('disconnect', resolve));
    socket.io.engine.write(Buffer.from(bytes) as never);
    await gone;
    await eventually(() => expect(violations(hq).join()).toContain('compact message'));
    await stillWell(hq);
  });

  it('that sends half a heartbeat is refused it', async () => {
    const hq = await startHq();
    const { session } = await joinByLink(hq);
    await hello(session);
    const half = { ts: 1 } as Heartbeat;
    expect(await firstValueFrom(session.heartbeat(half))).toMatchObject({
      ok: false,
      error: { code: 'bad_request' },
    });
    expect(await firstValueFrom(session.heartbeat(HEARTBEAT))).toMatchObject({ ok: true });
  });
});

it.each([
  ['garbage', Uint8Array.of(0x99, 1)],
  ['an answer of the wrong kind', encodeDown({ type: 'heard', request: 0, hqTs: 1, ack: EMPTY_COVERAGE })],
])('an HQ that answers a frame with %s breaks the protocol', async (_what, bytes) => {
  const hq = await startHq();
  hq.io.of('/agents').on('connection', (socket) => {
    // In place of the ingest's.
    socket.offAny();
    socket.on('hello', (_hello: unknown, reply: (answer: unknown) => void) => {
      const limits = { maxFrameBytes: 1000, maxFrameSamples: 10, maxSeries: 10 };
      reply({ ok: true, protocol: 2, ack: EMPTY_COVERAGE, limits, credit: 1, hqTs: 1 });
    });
    socket.on(COMPACT_EVENT, () => socket.emit(COMPACT_EVENT, bytes));
  });
  const { session } = await joinByLink(hq);
  await hello(session);
  await expect(frame(session, 1, 1)).rejects.toMatchObject({ kind: 'protocol' });
});
