import type { Socket } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import { dataFrame, schema } from '../store/testing/frames.ts';
import {
  ask,
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
};
afterEach(() => hq.close());

describe('turns to drain', () => {
  const offer = (socket: Socket, first: number, last: number, agent = 'a1') =>
    ask(socket, 'frame', { lane: 'backlog' }, dataFrame(first, last, { epoch: epochOf(agent) }).bytes);

  it('are given to as many agents as there are slots; the next is told when it is its turn', async () => {
    await start({ limits: { drainSlots: 1 } });
    const first = await joinAs(hq, 'a1', { sampled: 20 });
    const second = await hq.join();
    const credits: unknown[] = [];
    second.on('credit', (credit) => credits.push(credit));
    expect(await ask(second, 'hello', helloOf('a2', { sampled: 20 }))).toMatchObject({ ok: true, credit: 0 });
    const { ref, ...content } = schema;
    await ask(second, 'schema', { ref, schema: content });
    expect(await offer(second, 1, 10, 'a2')).toMatchObject({
      ok: false,
      error: { code: 'rate_limited', message: expect.stringContaining('credit') },
    });
    // Live frames need no turn.
    const { bytes } = dataFrame(20, 20, { epoch: epochOf('a2') });
    expect(await ask(second, 'frame', { lane: 'live' }, bytes)).toMatchObject({
      ok: true,
      credit: 0,
    });
    expect(await offer(first, 1, 19)).toMatchObject({ ok: true, credit: 8 });
    expect(credits).toEqual([]);
    expect(await offer(first, 20, 20)).toMatchObject({ ok: true });
    expect(await offer(second, 1, 10, 'a2')).toMatchObject({ ok: true, credit: 8 });
    expect(credits).toEqual([{ frames: 8 }]);
    expect(await offer(second, 11, 19, 'a2')).toMatchObject({ ok: true, ack: { contiguous: 20 } });
    expect(hq.events.filter(({ type }) => type === 'drain_turns')).toEqual([
      { type: 'drain_turns', taken: 1, waiting: 0 },
      { type: 'drain_turns', taken: 1, waiting: 1 },
      { type: 'drain_turns', taken: 1, waiting: 0 },
      { type: 'drain_turns', taken: 0, waiting: 0 },
    ]);
  });

  it('end with the connection, and go round when one agent makes no use of its own', async () => {
    await start({ limits: { drainSlots: 1 } });
    await joinAs(hq, 'idle', { sampled: 20 });
    const gone = await joinAs(hq, 'gone', { sampled: 20 });
    const waiting = await joinAs(hq, 'waiting', { sampled: 20 });
    const granted = new Promise((resolve) => void waiting.on('credit', resolve));
    gone.disconnect();
    expect(await granted).toEqual({ frames: 8 });
    expect(await offer(waiting, 1, 20, 'waiting')).toMatchObject({ ok: true });
  });
});
