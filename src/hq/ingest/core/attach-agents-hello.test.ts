import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { helloReplySchema } from '../../../protocol/events.ts';
import { dataFrame, EPOCH, gapFrame, schema } from '../../store/testing/frames.ts';
import { ledgerOf } from '../../store/testing/read.ts';
import {
  ask,
  ended,
  epochOf,
  HEARTBEAT,
  helloOf,
  joinAs,
  send,
  startHq,
  type TestHq,
} from '../testing/test-hq.ts';

const ledger = async (hq: TestHq, agent: string) => (await ledgerOf(hq.store, agent))[0];

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
      limits: { maxFrameBytes: 256 * 1024, maxFrameSamples: 4096, maxSeries: 100, notes: 2 },
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

  it.each([
    ['another protocol', { protocol: 3 }],
    ['other protocols', { protocol: 3, protocols: [3, 4], token: 'x' }],
    ['another schema', { ...helloOf('a1'), schema: 2, instance: undefined }],
    ['a protocol with ids of another kind', { ...helloOf('a1'), protocol: 7, agent: 'a name of version 7' }],
  ])('of %s is told its version first, whatever its fields, and is no violation', async (_, hello) => {
    const hq = await startHq();
    const socket = await hq.join();
    expect(await ask(socket, 'hello', hello)).toMatchObject({ error: { code: 'unsupported_version' } });
    expect(hq.events.filter(({ type }) => type === 'violation')).toEqual([]);
    expect(await ask(socket, 'hello', helloOf('a1'))).toMatchObject({ ok: true });
  });

  it.each([{}, { protocol: 'one' }, { protocol: 1 }, { protocol: 2 }, null])(
    'of %o is malformed',
    async (hello) => {
      const hq = await startHq();
      const socket = await hq.join();
      expect(await ask(socket, 'hello', hello)).toMatchObject({ error: { code: 'bad_request' } });
    },
  );

  it('is missed by a goodbye, too', async () => {
    const hq = await startHq();
    const socket = await hq.join();
    const bye = () => ask(socket, 'goodbye', { reason: 'done' });
    expect(await bye()).toMatchObject({ error: { code: 'hello_required' } });
    await ask(socket, 'hello', helloOf('a1'));
    expect(await bye()).toEqual({ ok: true });
  });

  it('never coming ends the connection', async () => {
    const hq = await startHq({ helloTimeoutMs: 1 });
    expect(await ended(await hq.join())).toBe('io server disconnect');
  });
});

describe('the epoch of a hello', () => {
  it('accounts for what the agent has released and HQ never got', async () => {
    const hq = await startHq();
    const [first, hello] = [await hq.join(), helloOf('a1', { sampled: 9, released: 5 })];
    expect(await ask(first, 'hello', hello)).toMatchObject({ ack: { contiguous: 5 }, lost: 5 });
    expect(await ask(first, 'hello', hello), 'once').not.toHaveProperty('lost');
    expect(await ledger(hq, 'a1')).toMatchObject({
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
    expect(await firstValueFrom(hq.store.epoch('a1', newEpoch(101)))).toBeNull();
    expect(await ask(socket, 'hello', helloOf('a1', { epoch: newEpoch(7) }))).toMatchObject({ ok: true });
    const other = await hq.join();
    expect(await ask(other, 'hello', helloOf('a2', { epoch: newEpoch(101) }))).toMatchObject({ ok: true });
  });

  it('of an epoch that another agent has is refused, and nothing is accounted as lost', async () => {
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
    expect(await ledger(hq, 'a2')).toBeUndefined();
    expect(await ask(copy, 'hello', helloOf('a2', { sampled: 4 }))).toMatchObject({ ok: true });
    expect(await ledgerOf(hq.store, 'a2')).toMatchObject([{ epoch: epochOf('a2'), sampled: 4, dropped: {} }]);
    // The one that has it is accepted as ever.
    original.disconnect();
    expect(await ask(await hq.join(), 'hello', helloOf('a1'))).toMatchObject({ ok: true });
  });
});

describe('a hello that does not fit', () => {
  it.each([
    { run: { number: 1, after: null, begun: 9 }, told: /is a copy or was rolled back/, not: /damaged/ },
    {
      run: { number: 1, after: null, begun: 9, rebuilt: true },
      told: /was damaged and has lost its ledger/,
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
      expect(await ledgerOf(hq.store)).toMatchObject([{ stored: 5 }]);
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
});
