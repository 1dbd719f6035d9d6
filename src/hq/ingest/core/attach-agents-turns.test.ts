import { Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createSystemClock } from '../../../platform/clock.ts';
import { announce, ask, helloOf, joinAs, send, startHq } from '../testing/test-hq.ts';

describe('turns to drain', () => {
  it('are given to as many agents as there are slots; the next is told when it is its turn', async () => {
    // Its time stands still: no turn ends because this machine is slow.
    const clock = { ...createSystemClock(), precise: () => 0 };
    const hq = await startHq({ clock, limits: { drainSlots: 1 } });
    const first = await joinAs(hq, 'a1', { sampled: 20 });
    const second = await hq.join();
    const credits: unknown[] = [];
    second.on('credit', (credit) => credits.push(credit));
    expect(await ask(second, 'hello', helloOf('a2', { sampled: 20 }))).toMatchObject({ ok: true, credit: 0 });
    await announce(second);
    expect(await send(second, 'backlog', [1, 10], 'a2')).toMatchObject({
      ok: false,
      error: { code: 'rate_limited', message: expect.stringContaining('credit') },
    });
    // Live frames need no turn.
    expect(await send(second, 'live', [20, 20], 'a2')).toMatchObject({ ok: true, credit: 0 });
    expect(await send(first, 'backlog', [1, 19])).toMatchObject({ ok: true, credit: 8 });
    expect(credits).toEqual([]);
    expect(await send(first, 'backlog', [20, 20])).toMatchObject({ ok: true });
    expect(await send(second, 'backlog', [1, 10], 'a2')).toMatchObject({ ok: true, credit: 8 });
    expect(credits).toEqual([{ frames: 8 }]);
    expect(await send(second, 'backlog', [11, 19], 'a2')).toMatchObject({
      ok: true,
      ack: { contiguous: 20 },
    });
    // On a busy machine HQ has said before that nobody is there.
    expect(hq.events.filter(({ type }) => type === 'drain_slots').slice(-4)).toEqual([
      { type: 'drain_slots', taken: 1, waiting: 0 },
      { type: 'drain_slots', taken: 1, waiting: 1 },
      { type: 'drain_slots', taken: 1, waiting: 0 },
      { type: 'drain_slots', taken: 0, waiting: 0 },
    ]);
  });

  it('end with the connection, and go round when one agent makes no use of its own', async () => {
    const hq = await startHq({ limits: { drainSlots: 1 } });
    await joinAs(hq, 'idle', { sampled: 20 });
    const gone = await joinAs(hq, 'gone', { sampled: 20 });
    const waiting = await joinAs(hq, 'waiting', { sampled: 20 });
    const granted = new Promise((resolve) => void waiting.on('credit', resolve));
    gone.disconnect();
    expect(await granted).toEqual({ frames: 8 });
    expect(await send(waiting, 'backlog', [1, 20], 'waiting')).toMatchObject({ ok: true });
  });

  it('a flood beyond the credit is refused, exactly: 250 frames at once, 8 taken', async () => {
    const flushes: (() => void)[] = [];
    let isSlow = false;
    const hq = await startHq({
      storage: {
        flush: (write) =>
          new Observable<never>((subscriber) => {
            const flush = () => {
              write();
              subscriber.complete();
            };
            if (isSlow) flushes.push(flush);
            else flush();
          }),
      },
    });
    const socket = await joinAs(hq, 'a1', { sampled: 250 });
    isSlow = true;
    const answers = Array.from({ length: 250 }, (_, index) =>
      send(socket, 'backlog', [index + 1, index + 1]),
    );
    const refused = await Promise.all(answers.slice(8));
    expect(refused.every(({ error }) => Reflect.get(Object(error), 'code') === 'rate_limited')).toBe(true);
    isSlow = false;
    for (const flush of flushes.splice(0)) flush();
    const taken = await Promise.all(answers.slice(0, 8));
    expect(taken.map(({ ok }) => ok)).toEqual(Array.from({ length: 8 }, () => true));
  });

  it('an agent that knows of bytes is told of its share of the room', async () => {
    const maxQueueBytes = 16 * 1024 * 1024;
    const hq = await startHq({ maxQueueBytes });
    const socket = await hq.join();
    expect(await ask(socket, 'hello', helloOf('a1', { sampled: 20, protocols: [1] }))).toMatchObject({
      credit: 8,
      creditBytes: maxQueueBytes / 8,
    });
    const other = await hq.join();
    expect(await ask(other, 'hello', helloOf('a2'))).not.toHaveProperty('creditBytes');
  });
});
