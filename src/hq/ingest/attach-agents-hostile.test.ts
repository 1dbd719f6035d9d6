import { NEVER } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { dataFrame } from '../store/testing/frames.ts';
import {
  ask,
  ended,
  epochOf,
  helloOf,
  joinAs,
  startHq,
  type TestHq,
  type TestHqOptions,
} from './testing/test-hq.ts';

let hq: TestHq;
const start = async (options: TestHqOptions = {}) => {
  hq = await startHq(options);
  return hq;
};
afterEach(() => hq.close());

describe('hostile clients', () => {
  /** HQ is well when an honest agent is. */
  const honestAgentIsServed = async (agent = 'honest') => {
    const socket = await joinAs(hq, agent);
    const { bytes } = dataFrame(1, 1, { epoch: epochOf(agent) });
    expect(await ask(socket, 'frame', { lane: 'live' }, bytes)).toMatchObject({ ok: true });
  };

  it('that leave out the ack callback or send nonsense do no harm and are cut off in the end', async () => {
    await start();
    const nonsense: unknown[] = [
      undefined,
      null,
      0,
      '',
      'x'.repeat(1000),
      [],
      {},
      { lane: {} },
      { toString: 1 },
      Buffer.from([1]),
      { ...helloOf('a1'), agent: '../../etc/passwd' },
      { ...helloOf('a1'), sampled: -1 },
      { ...helloOf('a1'), sampled: 1e300 },
    ];
    for (const event of ['hello', 'schema', 'frame', 'heartbeat', 'goodbye']) {
      const socket = await hq.join();
      const gone = ended(socket);
      for (const payload of nonsense) {
        socket.emit(event, payload);
        socket.emit(event, payload, () => {});
        socket.emit(event, payload, payload, payload, () => {});
      }
      socket.emit(event);
      expect(await gone).toBe('io server disconnect');
    }
    await honestAgentIsServed();
  });

  it('that send events with names of their own are cut off', async () => {
    await start();
    const socket = await hq.join();
    const gone = ended(socket);
    for (const name of [
      '__proto__',
      'constructor',
      'error',
      'toString',
      'x',
      'hasOwnProperty',
      'probe',
      'credit',
    ]) {
      for (let times = 0; times < 3; times += 1) socket.emit(name, { any: 1 }, () => {});
    }
    expect(await gone).toBe('io server disconnect');
    await honestAgentIsServed();
  });

  it('that smuggle __proto__ keys change nothing for others', async () => {
    await start();
    const socket = await hq.join();
    const poisoned = JSON.parse(
      `{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},${JSON.stringify(helloOf('a1')).slice(1)}`,
    );
    expect(await ask(socket, 'hello', poisoned)).toMatchObject({ ok: true });
    const heartbeat = JSON.parse(
      `{"ts":0,"state":"live","breaker":"closed","sampled":12,"released":0,"pending":2,"pendingBytes":100,"dropped":{"__proto__":5},"lagMs":0,"rttMs":3}`,
    );
    await ask(socket, 'heartbeat', heartbeat);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    await honestAgentIsServed();
  });

  it('that send a message of 10 MB lose their connection and nothing else', async () => {
    await start();
    const socket = await joinAs(hq, 'a1');
    const gone = ended(socket);
    socket.emit('frame', { lane: 'live' }, new Uint8Array(10 * 1024 * 1024), () => {});
    await gone;
    await honestAgentIsServed();
  });

  it('that ask for unknown namespaces are refused', async () => {
    await start();
    const socket = hq.raw('/secret');
    const refused = await new Promise<Error>((resolve) => void socket.on('connect_error', resolve));
    expect(refused.message).toBe('Invalid namespace');
    await honestAgentIsServed();
  });

  it('that pile up unanswered messages are refused more', async () => {
    await start({ chaos: { admit: () => NEVER } });
    const socket = await hq.join();
    const refused = vi.fn();
    for (let index = 0; index < 300; index += 1) socket.emit('hello', helloOf('a1'), refused);
    await vi.waitFor(() => expect(refused).toHaveBeenCalledTimes(44));
    expect(refused.mock.calls[0]?.[0]).toMatchObject({ ok: false, error: { code: 'rate_limited' } });
  });
});
