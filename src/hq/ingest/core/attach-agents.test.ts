import { BehaviorSubject, firstValueFrom, NEVER, type Observable, of } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { frameReplySchema, heartbeatReplySchema, helloReplySchema } from '../../../protocol/events.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import { StorageError } from '../../../storage/storage.ts';
import { dataFrame, EPOCH, gapFrame, schema } from '../../store/testing/frames.ts';
import {
  announce,
  ask,
  ended,
  epochOf,
  helloOf,
  joinAs,
  send,
  startHq,
  type TestHq,
} from '../testing/test-hq.ts';

const HEARTBEAT = {
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
const ledger = (hq: TestHq, agent: string) => hq.store.ledger(agent)[0];

describe('hello', () => {
  it('is answered with what HQ holds, its limits and the credit', async () => {
    const hq = await startHq();
    const first = await joinAs(hq, 'a1');
    await send(first, 'live', [3, 4]);
    first.disconnect();
    const socket = await hq.join();
    const reply = helloReplySchema.parse(await ask(socket, 'hello', helloOf('a1')));
    expect(reply).toMatchObject({
      ok: true,
      protocol: 1,
      ack: { contiguous: 0, ranges: [[3, 4]] },
      limits: { maxFrameBytes: 256 * 1024, maxFrameSamples: 4096, maxSeries: 100 },
      credit: 8,
    });
  });

  it('tells agents that name their protocols how long its answer took', async () => {
    const hq = await startHq();
    const old = await ask(await hq.join(), 'hello', helloOf('a1'));
    const reply = await ask(await hq.join(), 'hello', helloOf('a2', { protocols: [1, 2] }));
    expect(old).not.toHaveProperty('heldMs');
    expect(reply).toMatchObject({ ok: true, heldMs: expect.any(Number) });
  });

  it('comes first: anything before it is refused', async () => {
    const hq = await startHq();
    const socket = await hq.join();
    for (const [event, ...args] of [
      ['frame', { lane: 'live' }, dataFrame(1, 1).bytes],
      ['heartbeat', HEARTBEAT],
      ['coverage', { after: 0 }],
      ['schema', { ref: schema.ref, schema: { source: 'sim', boot: 'b', series: [] } }],
    ] as const) {
      expect(await ask(socket, event, ...args)).toMatchObject({
        ok: false,
        error: { code: 'hello_required' },
      });
    }
  });

  it('of another version is refused with what HQ speaks', async () => {
    const hq = await startHq();
    const socket = await hq.join();
    expect(await ask(socket, 'hello', helloOf('a1', { protocol: 9 }))).toMatchObject({
      ok: false,
      error: { code: 'unsupported_version', supported: { protocol: [1, 2], schema: [1] } },
    });
  });

  it('books what the agent has released and HQ never got', async () => {
    const hq = await startHq();
    const [first, hello] = [await hq.join(), helloOf('a1', { sampled: 9, released: 5 })];
    expect(await ask(first, 'hello', hello)).toMatchObject({ ack: { contiguous: 5 }, lost: 5 });
    expect(await ask(first, 'hello', hello), 'once').not.toHaveProperty('lost');
    expect(ledger(hq, 'a1')).toMatchObject({
      sampled: 9,
      pending: 4,
      dropped: { lost_at_hq: 5 },
      contiguous: 5,
    });
    expect(hq.events).toContainEqual({ type: 'lost_at_hq', agent: 'a1', epoch: EPOCH, samples: 5 });
    const socket = await joinAs(hq, 'a1', { sampled: 9, released: 5, instance: 'later' });
    await ask(socket, 'frame', { lane: 'backlog' }, gapFrame(5, 7, 'lost_at_hq').bytes);
    await ask(socket, 'frame', { lane: 'backlog' }, gapFrame(8, 8, 'overflow_oldest').bytes);
    const told = hq.events.filter(({ type }) => type === 'lost_at_hq');
    expect(told.slice(1)).toEqual([{ type: 'lost_at_hq', agent: 'a1', epoch: EPOCH, samples: 2 }]);
  });

  it('of one new epoch after the other is refused in the end, and a known epoch never', async () => {
    const hq = await startHq();
    const newEpoch = (index: number) => index.toString(16).padStart(12, '0');
    const socket = await hq.join();
    for (let index = 1; index <= 100; index += 1) {
      const reply = await ask(socket, 'hello', helloOf('a1', { epoch: newEpoch(index) }));
      expect(reply.ok).toBe(true);
    }
    expect(await ask(socket, 'hello', helloOf('a1', { epoch: newEpoch(101) }))).toMatchObject({
      ok: false,
      error: { code: 'rate_limited', retryAfterMs: expect.any(Number) },
    });
    expect(hq.store.knowsEpoch('a1', newEpoch(101))).toBe(false);
    expect(await ask(socket, 'hello', helloOf('a1', { epoch: newEpoch(7) }))).toMatchObject({ ok: true });
    const other = await hq.join();
    expect(await ask(other, 'hello', helloOf('a2', { epoch: newEpoch(101) }))).toMatchObject({ ok: true });
  });

  it('of an epoch that another agent has is refused, and nothing is booked as lost', async () => {
    const hq = await startHq();
    const original = await joinAs(hq, 'a1');
    await send(original, 'live', [1, 5]);
    const copy = await hq.join();
    const hello = helloOf('a2', { epoch: EPOCH, sampled: 9, released: 5 });
    expect(await ask(copy, 'hello', hello)).toMatchObject({
      ok: false,
      error: { code: 'forked_epoch', message: expect.stringMatching(/a1.*--new-epoch/) },
    });
    expect(hq.events).toContainEqual(expect.objectContaining({ type: 'forked_epoch', agent: 'a2' }));
    expect(ledger(hq, 'a2')).toBeUndefined();
    expect(await ask(copy, 'hello', helloOf('a2', { sampled: 4 }))).toMatchObject({ ok: true });
    expect(hq.store.ledger('a2')).toMatchObject([{ epoch: epochOf('a2'), sampled: 4, dropped: {} }]);
    // The one that has it is greeted as ever.
    original.disconnect();
    expect(await ask(await hq.join(), 'hello', helloOf('a1'))).toMatchObject({ ok: true });
  });

  it.each([
    { run: { number: 1, after: null, begun: 9 }, told: /is a copy or was rolled back/, not: /damaged/ },
    {
      run: { number: 1, after: null, begun: 9, rebuilt: true },
      told: /was damaged and has lost its books/,
      not: /copy/,
    },
  ])(
    'of a journal that does not follow is refused, and told as what it is: $told',
    async ({ run, told, not }) => {
      const hq = await startHq();
      const first = await joinAs(hq, 'a1', { run: { number: 1, after: null, begun: 0 } });
      await send(first, 'live', [1, 5]);
      first.disconnect();
      const alarms: string[] = [];
      hq.gateway.links$.subscribe((event) => event.kind === 'alarm' && alarms.push(event.detail));
      const hello = helloOf('a1', { instance: 'later', sampled: 9, run });
      expect(await ask(await hq.join(), 'hello', hello)).toMatchObject({
        ok: false,
        error: { code: 'forked_epoch', message: expect.stringMatching(told) },
      });
      expect(alarms).toEqual([expect.stringMatching(told)]);
      expect(alarms[0]).not.toMatch(not);
      expect(hq.store.ledger('a1')).toMatchObject([{ stored: 5 }]);
    },
  );

  it('is refused beyond the number of agents that HQ keeps', async () => {
    const hq = await startHq({ limits: { maxAgents: 1 } });
    await joinAs(hq, 'a1');
    const socket = await hq.join();
    expect(await ask(socket, 'hello', helloOf('a2'))).toMatchObject({ error: { code: 'unavailable' } });
  });

  it('of an agent that has delivered to another HQ is told that first, also when HQ takes no more agents', async () => {
    const hq = await startHq({ identity: 'north', limits: { maxAgents: 0 } });
    const socket = await hq.join();
    const hello = { ...helloOf('a1'), hq: 'south' };
    expect(await ask(socket, 'hello', hello)).toMatchObject({ error: { code: 'other_hq' } });
  });

  it('is answered with how long to spread reconnects, from the number of agents that HQ knows', async () => {
    const hq = await startHq({ limits: { reconnectsPerSecond: 1 } });
    for (const agent of ['a1', 'a2']) await joinAs(hq, agent);
    const socket = await hq.join();
    expect(await ask(socket, 'hello', helloOf('a3'))).toMatchObject({ reconnectMs: 6_000 });
  });

  it('never coming ends the connection', async () => {
    const hq = await startHq({ helloTimeoutMs: 1 });
    expect(await ended(await hq.join())).toBe('io server disconnect');
  });
});

describe('tokens', () => {
  it('that are wrong are told so at connecting', async () => {
    const hq = await startHq();
    await expect(hq.join('wrong')).rejects.toMatchObject({ data: { code: 'unauthorized' } });
  });

  it('that no longer count end the connection', async () => {
    const valid = new BehaviorSubject(true);
    const access = {
      admit: () =>
        valid.value
          ? { ok: true as const }
          : { ok: false as const, reason: 'token' as const, message: 'revoked' },
    };
    const hq = await startHq({ access });
    const socket = await joinAs(hq, 'a1');
    valid.next(false);
    hq.gateway.recheck();
    expect(await ended(socket)).toBe('io server disconnect');
  });
});

describe('an agent id', () => {
  it('belongs to the connection that answers: a second one is refused', async () => {
    const hq = await startHq();
    const first = await joinAs(hq, 'a1');
    first.on('probe', (reply) => reply({ instance: 'a1-1' }));
    const second = await hq.join();
    expect(await ask(second, 'hello', helloOf('a1', { instance: 'clone' }))).toMatchObject({
      ok: false,
      error: { code: 'duplicate_agent' },
    });
    expect(await send(first, 'live', [1, 1])).toMatchObject({ ok: true });
  });

  it('goes to the second connection when the first is deaf', async () => {
    const hq = await startHq();
    const first = await joinAs(hq, 'a1');
    const second = await hq.join();
    const greeting = ask(second, 'hello', helloOf('a1', { instance: 'clone' }));
    expect(await ended(first)).toBe('io server disconnect');
    expect(await greeting).toMatchObject({ ok: true });
    expect(hq.gateway.connectedAgents()).toBe(1);
  });

  it('goes at once to the same process when it comes again', async () => {
    const hq = await startHq();
    const first = await joinAs(hq, 'a1');
    const probed = vi.fn();
    first.on('probe', probed);
    const second = await hq.join();
    expect(await ask(second, 'hello', helloOf('a1'))).toMatchObject({ ok: true });
    await ended(first);
    expect(probed).not.toHaveBeenCalled();
  });
});

describe('frames', () => {
  it('are acked once stored, with everything that HQ holds of the epoch', async () => {
    const hq = await startHq();
    const socket = await joinAs(hq, 'a1');
    const reply = async (first: number, last: number) =>
      frameReplySchema.parse(await send(socket, 'backlog', [first, last]));
    expect(await reply(1, 5)).toMatchObject({ ok: true, ack: { contiguous: 5, ranges: [] }, credit: 8 });
    expect(await reply(8, 9)).toMatchObject({ ok: true, ack: { contiguous: 5, ranges: [[8, 9]] } });
    expect(await reply(1, 9)).toMatchObject({ ok: true, ack: { contiguous: 9, ranges: [] } });
    expect(await reply(1, 9)).toMatchObject({ ok: true, ack: { contiguous: 9, ranges: [] } });
    expect(ledger(hq, 'a1')).toMatchObject({ stored: 9, pending: 0 });
    expect(await ask(socket, 'frame', { lane: 'backlog' }, gapFrame(10, 12, 'damaged').bytes)).toMatchObject({
      ok: true,
      ack: { contiguous: 12 },
    });
    expect(ledger(hq, 'a1')).toMatchObject({ sampled: 12, stored: 9, dropped: { damaged: 3 } });
  });

  it('of an unknown schema are refused with its ref, and taken once it is known', async () => {
    const hq = await startHq();
    const socket = await hq.join();
    await ask(socket, 'hello', helloOf('a1'));
    const frame = dataFrame(1, 1).bytes;
    expect(await ask(socket, 'frame', { lane: 'live' }, frame)).toMatchObject({
      ok: false,
      error: { code: 'unknown_schema', refs: [schema.ref] },
    });
    expect(await announce(socket, { ...schema, ref: 'ffffffffffff' })).toMatchObject({
      error: { code: 'bad_request' },
    });
    expect(await announce(socket)).toEqual({ ok: true });
    expect(await ask(socket, 'frame', { lane: 'live' }, frame)).toMatchObject({ ok: true });
  });

  it('that are damaged, foreign or too large are refused, each by its name', async () => {
    const hq = await startHq({ limits: { maxFrameBytes: 2_000, maxFrameSamples: 50 } });
    const socket = await joinAs(hq, 'a1');
    const damaged = dataFrame(1, 3).bytes.slice();
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    const code = async (bytes: Uint8Array) => {
      const reply = frameReplySchema.parse(await ask(socket, 'frame', { lane: 'live' }, bytes));
      return reply.ok ? 'ok' : reply.error.code;
    };
    expect(await code(damaged)).toBe('bad_frame');
    expect(await code(new Uint8Array([1, 2, 3]))).toBe('bad_frame');
    expect(await code(dataFrame(1, 3, { epoch: 'bbbbbbbbbbbb' }).bytes)).toBe('bad_frame');
    expect(await code(new Uint8Array(2_001))).toBe('too_large');
    expect(await code(dataFrame(1, 51).bytes)).toBe('too_large');
    expect(await code(dataFrame(1, 3).bytes)).toBe('ok');
  });

  it('that leave ever more holes are refused, until holes are filled', async () => {
    const hq = await startHq();
    const socket = await joinAs(hq, 'a1');
    const every2nd = Array.from({ length: 10_000 }, (_, index) => dataFrame(3 + 2 * index, 3 + 2 * index));
    await firstValueFrom(hq.store.append(every2nd));
    expect(await send(socket, 'backlog', [20_010, 20_010])).toMatchObject({
      ok: false,
      error: { code: 'rate_limited', message: expect.stringContaining('fill holes first') },
    });
    expect(await send(socket, 'backlog', [20_002, 20_003])).toMatchObject({ ok: true });
    expect(await send(socket, 'backlog', [9_999, 10_001])).toMatchObject({ ok: true });
    expect(hq.store.coverage('a1', EPOCH).ranges.length).toBeLessThan(10_000);
    expect(await send(socket, 'backlog', [20_010, 20_010])).toMatchObject({ ok: true });
  });

  it('with more series than an agent may have are refused for good', async () => {
    const hq = await startHq({ limits: { maxSeries: 3 } });
    const socket = await joinAs(hq, 'a1');
    const wide = internSchema({
      ...schema,
      series: ['x', 'y'].map((name) => ({ name, attributes: {}, unit: '' })),
    });
    expect(await announce(socket, wide)).toMatchObject({
      error: { code: 'too_many_series' },
    });
    const rebooted = internSchema({ ...schema, boot: 'boot-2' });
    expect(await announce(socket, rebooted)).toEqual({ ok: true });
    expect(await announce(socket, internSchema({ ...schema, source: 'other' }))).toMatchObject({
      error: { code: 'too_many_series' },
    });
  });

  it('beyond the allowance are refused with the time to wait', async () => {
    const hq = await startHq({ limits: { framesPerSecond: 1 } });
    const socket = await joinAs(hq, 'a1');
    const replies = await Promise.all(
      Array.from({ length: 12 }, (_, index) => send(socket, 'live', [index + 1, index + 1])),
    );
    expect(replies.filter(({ ok }) => ok === true)).toHaveLength(10);
    expect(replies.at(-1)).toMatchObject({
      error: { code: 'rate_limited', retryAfterMs: expect.any(Number) },
    });
  });

  it('of one agent that floods are held back at its own machine, and live ones have a budget of their own', async () => {
    const hq = await startHq({ limits: { liveFramesPerSecond: 1 } });
    const socket = await joinAs(hq, 'a1');
    const flood = Array.from({ length: 5 }, (_, index) => send(socket, 'live', [index + 1, index + 1]));
    const replies = await Promise.all(flood);
    expect(replies.map(({ ok }) => ok)).toEqual([true, true, false, false, false]);
    expect(replies.at(-1)).toMatchObject({ error: { code: 'rate_limited' } });
    expect(hq.events).toContainEqual({ type: 'held_back', agent: 'a1' });
    // It is read again, and its backlog is outside of that budget.
    expect(await send(socket, 'backlog', [3, 5])).toMatchObject({
      ok: true,
      ack: { contiguous: 5 },
    });
  });

  it('of many agents that come together share commits', async () => {
    const hq = await startHq();
    const agents = ['a1', 'a2', 'a3', 'a4', 'a5'];
    const sockets = await Promise.all(agents.map((agent) => joinAs(hq, agent)));
    const replies = await Promise.all(
      sockets.flatMap((socket, agent) =>
        Array.from({ length: 8 }, (_, index) => {
          return send(socket, 'backlog', [index + 1, index + 1], agents[agent]);
        }),
      ),
    );
    expect(replies.every(({ ok }) => ok === true)).toBe(true);
    for (const agent of agents) expect(ledger(hq, agent)).toMatchObject({ stored: 8, contiguous: 8 });
  });

  it('that the storage cannot take are not acked, and are taken when it can', async () => {
    let fails = false;
    const hq = await startHq({
      storage: { refuseCommit: () => (fails ? new StorageError('full', 'disk full') : null) },
    });
    const socket = await joinAs(hq, 'a1');
    fails = true;
    const frame = dataFrame(1, 3).bytes;
    expect(await ask(socket, 'frame', { lane: 'live' }, frame)).toMatchObject({
      ok: false,
      error: { code: 'unavailable', retryAfterMs: expect.any(Number) },
    });
    expect(hq.store.coverage('a1', EPOCH).contiguous).toBe(0);
    fails = false;
    expect(await ask(socket, 'frame', { lane: 'live' }, frame)).toMatchObject({
      ok: true,
      ack: { contiguous: 3 },
    });
  });

  it('that find the queue full are turned away', async () => {
    const hq = await startHq({ maxQueueBytes: 10 });
    const socket = await joinAs(hq, 'a1');
    expect(await send(socket, 'live', [1, 3])).toMatchObject({
      error: { code: 'unavailable' },
    });
  });
});

describe('heartbeats', () => {
  it('are answered with the coverage and tell the fleet how the agent fares', async () => {
    const hq = await startHq();
    const socket = await joinAs(hq, 'a1');
    const heard: unknown[] = [];
    hq.gateway.links$.subscribe((event) => heard.push(event));
    const reply = heartbeatReplySchema.parse(await ask(socket, 'heartbeat', HEARTBEAT));
    expect(reply).toMatchObject({ ok: true, ack: { contiguous: 0 } });
    expect(heard).toMatchObject([{ kind: 'heartbeat', agent: 'a1', heartbeat: { pending: 2 } }]);
    expect(ledger(hq, 'a1')).toMatchObject({ sampled: 12, pending: 12 });
  });

  it('count where what they say of the link is malformed, without that', async () => {
    const hq = await startHq();
    const socket = await joinAs(hq, 'a1');
    const heard: unknown[] = [];
    hq.gateway.links$.subscribe((event) => heard.push(event));
    const link = { rate: null, minRttMs: null, queueMs: null, live: 0, backlog: 0, bytesToday: 19_531.25 };
    expect(await ask(socket, 'heartbeat', { ...HEARTBEAT, link })).toMatchObject({ ok: true });
    expect(await ask(socket, 'heartbeat', { ...HEARTBEAT, link: { ...link, bytesToday: 5 } })).toMatchObject({
      ok: true,
    });
    expect(heard).toMatchObject([
      { heartbeat: { pending: 2, link: undefined } },
      { heartbeat: { pending: 2, link: { bytesToday: 5 } } },
    ]);
    expect(await ask(socket, 'heartbeat', { ...HEARTBEAT, pending: 0.5 })).toMatchObject({
      error: { code: 'bad_request' },
    });
  });

  it('say whether HQ can store', async () => {
    const storing = { now: false };
    const hq = await startHq({ isStoring: () => storing.now });
    const socket = await joinAs(hq, 'a1');
    expect(await ask(socket, 'heartbeat', HEARTBEAT)).toMatchObject({ ok: true, storing: false });
    storing.now = true;
    expect(await ask(socket, 'heartbeat', HEARTBEAT)).toMatchObject({ ok: true, storing: true });
  });

  it('are answered with how long to spread reconnects once more agents are known', async () => {
    const hq = await startHq({ limits: { reconnectsPerSecond: 1 } });
    const socket = await joinAs(hq, 'a1');
    expect(await ask(socket, 'heartbeat', HEARTBEAT)).not.toHaveProperty('reconnectMs');
    for (const agent of ['a2', 'a3']) await joinAs(hq, agent);
    expect(await ask(socket, 'heartbeat', HEARTBEAT)).toMatchObject({ reconnectMs: 6_000 });
    expect(await ask(socket, 'heartbeat', HEARTBEAT)).not.toHaveProperty('reconnectMs');
  });
});

describe('chaos', () => {
  it('refuses as unavailable, or answers nothing', async () => {
    const verdicts: { next: () => Observable<'pass' | 'refuse' | 'lose'> } = { next: () => of('pass') };
    const hq = await startHq({ chaos: { admit: () => verdicts.next() } });
    const socket = await joinAs(hq, 'a1');
    verdicts.next = () => of('refuse');
    const frame = dataFrame(1, 1).bytes;
    expect(await ask(socket, 'frame', { lane: 'live' }, frame)).toMatchObject({
      error: { code: 'unavailable', retryAfterMs: expect.any(Number) },
    });
    expect(await ask(socket, 'heartbeat', HEARTBEAT)).toMatchObject({ error: { code: 'unavailable' } });
    verdicts.next = () => of('lose');
    const answered = vi.fn();
    socket.emit('frame', { lane: 'live' }, frame, answered);
    await ask(socket, 'goodbye', { reason: 'test' });
    expect(answered).not.toHaveBeenCalled();
    expect(hq.store.coverage('a1', EPOCH).contiguous).toBe(0);
  });

  it('that holds a message until its connection is gone does not keep it', async () => {
    const hq = await startHq({ chaos: { admit: () => NEVER } });
    const socket = await hq.join();
    socket.emit('hello', helloOf('a1'), () => {});
    await ask(socket, 'goodbye', { reason: 'x' });
    socket.disconnect();
    await eventually(() => expect(hq.io.of('/agents').sockets.size).toBe(0));
    expect(hq.gateway.connectedAgents()).toBe(0);
  });
});
