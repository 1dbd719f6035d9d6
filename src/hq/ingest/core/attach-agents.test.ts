import { BehaviorSubject, delay, map, NEVER, type Observable, of, take } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { heartbeatReplySchema } from '../../../protocol/events.ts';
import type { Admission } from '../../access.ts';
import { dataFrame, EPOCH } from '../../store/testing/frames.ts';
import { coverageOf, ledgerOf } from '../../store/testing/read.ts';
import { ask, ended, HEARTBEAT, helloOf, joinAs, send, startHq, type TestHq } from '../testing/test-hq.ts';

const ledger = async (hq: TestHq, agent: string) => (await ledgerOf(hq.store, agent))[0];

const verdict = (isValid: boolean): Admission =>
  isValid
    ? { ok: true, principal: { role: 'agent', shownBy: 'token' } }
    : { ok: false, reason: 'token', message: 'revoked' };

describe('tokens', () => {
  it('that are wrong are told so at connecting', async () => {
    const hq = await startHq();
    await expect(hq.join('wrong')).rejects.toMatchObject({ data: { code: 'unauthorized' } });
  });

  it('that no longer count end the connection', async () => {
    const valid = new BehaviorSubject(true);
    const hq = await startHq({ access: { admit: () => valid.pipe(take(1), map(verdict)) } });
    const socket = await joinAs(hq, 'a1');
    valid.next(false);
    hq.gateway.recheck();
    expect(await ended(socket)).toBe('io server disconnect');
  });
});

describe('while it cannot be looked up who an agent is', () => {
  const lookup = new BehaviorSubject<'works' | 'fails'>('works');
  const access = {
    admit: () =>
      lookup.pipe(
        take(1),
        delay(1),
        map((now) => {
          if (now === 'fails') throw new Error('no answer');
          return verdict(true);
        }),
      ),
  };

  it('who is in stays in, and who comes is told to come again', async () => {
    const hq = await startHq({ access });
    const socket = await joinAs(hq, 'a1');
    lookup.next('fails');
    hq.gateway.recheck();
    await expect(hq.join()).rejects.toMatchObject({ data: { code: 'unavailable' } });
    expect(await send(socket, 'live', [1, 1])).toMatchObject({ ok: true });
    lookup.next('works');
    expect((await hq.join()).connected).toBe(true);
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
    const reply = ask(second, 'hello', helloOf('a1', { instance: 'clone' }));
    expect(await ended(first)).toBe('io server disconnect');
    expect(await reply).toMatchObject({ ok: true });
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

describe('heartbeats', () => {
  it('are answered with the coverage and tell the fleet how the agent fares', async () => {
    const hq = await startHq();
    const socket = await joinAs(hq, 'a1');
    const heard: unknown[] = [];
    hq.gateway.links$.subscribe((event) => heard.push(event));
    const reply = heartbeatReplySchema.parse(await ask(socket, 'heartbeat', HEARTBEAT));
    expect(reply).toMatchObject({ ok: true, ack: { contiguous: 0 } });
    expect(heard).toMatchObject([{ kind: 'heartbeat', agent: 'a1', heartbeat: { pending: 2 } }]);
    expect(await ledger(hq, 'a1')).toMatchObject({ sampled: 12, pending: 12 });
  });

  it('account at once for what the agent has released and HQ never got', async () => {
    const hq = await startHq();
    const socket = await joinAs(hq, 'a1');
    await send(socket, 'live', [3, 4]);
    const released = { ...HEARTBEAT, sampled: 12, released: 6 };
    expect(await ask(socket, 'heartbeat', released)).toMatchObject({ ok: true, ack: { contiguous: 6 } });
    expect(await ledger(hq, 'a1')).toMatchObject({ stored: 2, pending: 6, dropped: { lost_at_hq: 4 } });
    const told = () => hq.events.filter(({ type }) => type === 'lost_at_hq');
    expect(told()).toEqual([{ type: 'lost_at_hq', agent: 'a1', epoch: EPOCH, samples: 4 }]);
    expect(await ask(socket, 'heartbeat', released)).toMatchObject({ ok: true });
    expect(told()).toHaveLength(1);
  });

  it('do not account for frames of the agent that wait for their commit', async () => {
    const hq = await startHq();
    const socket = await joinAs(hq, 'a1');
    const [frame, heard] = await Promise.all([
      send(socket, 'live', [1, 6]),
      ask(socket, 'heartbeat', { ...HEARTBEAT, released: 6 }),
    ]);
    expect([frame.ok, heard.ok]).toEqual([true, true]);
    expect(await ledger(hq, 'a1')).toMatchObject({ stored: 6, dropped: {} });
  });

  it('that have released more than was sampled are refused', async () => {
    const hq = await startHq();
    const socket = await joinAs(hq, 'a1');
    const reply = await ask(socket, 'heartbeat', { ...HEARTBEAT, sampled: 5, released: 6 });
    expect(reply).toMatchObject({ error: { code: 'bad_request' } });
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
    expect((await coverageOf(hq.store)).contiguous).toBe(0);
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
