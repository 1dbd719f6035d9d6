import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { frameReplySchema } from '../../../protocol/events.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import { StorageError } from '../../../storage/storage.ts';
import { dataFrame, gapFrame, schema } from '../../store/testing/frames.ts';
import { coverageOf, ledgerOf } from '../../store/testing/read.ts';
import { announce, ask, helloOf, joinAs, send, startHq, type TestHq } from '../testing/test-hq.ts';

const ledger = async (hq: TestHq, agent: string) => (await ledgerOf(hq.store, agent))[0];

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
    expect(await ledger(hq, 'a1')).toMatchObject({ stored: 9, pending: 0 });
    expect(await ask(socket, 'frame', { lane: 'backlog' }, gapFrame(10, 12, 'damaged').bytes)).toMatchObject({
      ok: true,
      ack: { contiguous: 12 },
    });
    expect(await ledger(hq, 'a1')).toMatchObject({ sampled: 12, stored: 9, dropped: { damaged: 3 } });
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
    const every2nd = Array.from({ length: 10_000 }, (_, index) => dataFrame(3 + 2 * index, 3 + 2 * index));
    await firstValueFrom(hq.store.append(every2nd));
    const socket = await joinAs(hq, 'a1');
    expect(await send(socket, 'backlog', [20_010, 20_010])).toMatchObject({
      ok: false,
      error: { code: 'rate_limited', message: expect.stringContaining('fill holes first') },
    });
    expect(await send(socket, 'backlog', [20_002, 20_003])).toMatchObject({ ok: true });
    expect(await send(socket, 'backlog', [9_999, 10_001])).toMatchObject({ ok: true });
    expect((await coverageOf(hq.store)).ranges.length).toBeLessThan(10_000);
    expect(await send(socket, 'backlog', [20_010, 20_010])).toMatchObject({ ok: true });
  });
});

describe('frames beyond what an agent may send', () => {
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

  it('with more schemas than an agent may have are refused for good, with the bound', async () => {
    const hq = await startHq({ limits: { maxSchemas: 2 } });
    const socket = await joinAs(hq, 'a1');
    expect(await announce(socket, internSchema({ ...schema, boot: 'boot-2' }))).toEqual({ ok: true });
    const third = internSchema({ ...schema, boot: 'boot-3' });
    const beyond = { code: 'too_many_series', message: expect.stringContaining('limits.maxSchemas') };
    expect(await announce(socket, third)).toMatchObject({ error: beyond });
    const frame = dataFrame(1, 2, { schema: third }).bytes;
    expect(await ask(socket, 'frame', { lane: 'live' }, frame)).toMatchObject({ error: beyond });
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
});

describe('frames that wait for their commit', () => {
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
    for (const agent of agents) expect(await ledger(hq, agent)).toMatchObject({ stored: 8, contiguous: 8 });
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
    expect((await coverageOf(hq.store)).contiguous).toBe(0);
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
