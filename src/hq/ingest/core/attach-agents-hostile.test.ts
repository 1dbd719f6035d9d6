import { NEVER } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { encodeSamples } from '../../../protocol/frame-codec.ts';
import type { Anomaly, Sample } from '../../../protocol/sample.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import { START, sampleOf } from '../../store/testing/frames.ts';
import { ask, ended, epochOf, helloOf, joinAs, send, startHq, type TestHq } from '../testing/test-hq.ts';

const anomalyOf = (series: number): Anomaly => ({
  series,
  state: 'open',
  startTs: START,
  peakTs: START,
  peakValue: 1,
  peakZ: 4,
  mean: 0,
  stddev: 1,
  endTs: null,
});

/** HQ is well when an honest agent is. */
async function honestAgentIsServed(hq: TestHq): Promise<void> {
  const socket = await joinAs(hq, 'honest');
  expect(await send(socket, 'live', [1, 1], 'honest')).toMatchObject({ ok: true });
}

describe('hostile clients', () => {
  it('that leave out the ack callback or send nonsense do no harm and are cut off in the end', async () => {
    const hq = await startHq();
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
    await honestAgentIsServed(hq);
  });

  it('that send events with names of their own are cut off', async () => {
    const hq = await startHq();
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
    await honestAgentIsServed(hq);
  });

  it('that smuggle __proto__ keys change nothing for others', async () => {
    const hq = await startHq();
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
    await honestAgentIsServed(hq);
  });
});

describe('clients that want too much', () => {
  it('that send a message of 10 MB lose their connection and nothing else', async () => {
    const hq = await startHq();
    const socket = await joinAs(hq, 'a1');
    const gone = ended(socket);
    socket.emit('frame', { lane: 'live' }, new Uint8Array(10 * 1024 * 1024), () => {});
    await gone;
    await honestAgentIsServed(hq);
  });

  it('that talk before hello are not listened to, and cut off in the end', async () => {
    const hq = await startHq();
    const socket = await hq.join();
    const gone = ended(socket);
    expect(await ask(socket, 'heartbeat', { dropped: 'rubbish' })).toMatchObject({
      error: { code: 'hello_required' },
    });
    for (let times = 0; times < 15; times += 1) socket.emit('heartbeat', {}, () => {});
    expect(await gone).toBe('io server disconnect');
    await honestAgentIsServed(hq);
  });

  it('that send thousands of anomalies in a frame wait until what they cost is paid for', async () => {
    const hq = await startHq({ limits: { framesPerSecond: 10, liveFramesPerSecond: 10 } });
    const socket = await joinAs(hq, 'a1');
    const anomalies = Array.from({ length: 4_000 }, (_, index) => anomalyOf(index % 2));
    const frame = (first: number, samples: readonly Sample[]) =>
      ask(
        socket,
        'frame',
        { lane: 'live' },
        encodeSamples({ epoch: epochOf('a1'), firstSeq: first, samples }),
      );
    expect(await frame(1, [sampleOf(1, anomalies)])).toMatchObject({ ok: true });
    const refused = await frame(2, [sampleOf(2)]);
    expect(refused).toMatchObject({ error: { code: 'rate_limited', retryAfterMs: expect.any(Number) } });
    await honestAgentIsServed(hq);
  });

  it('that send millions of constants in a few bytes wait until they are paid for', async () => {
    const hq = await startHq({
      limits: { framesPerSecond: 100, liveFramesPerSecond: 20, maxSeries: 10_000 },
    });
    const socket = await hq.join();
    expect(await ask(socket, 'hello', helloOf('a1'))).toMatchObject({ ok: true });
    const { ref, ...wide } = internSchema({
      ...{ source: 'wide', boot: 'b' },
      series: Array.from({ length: 4_096 }, (_, index) => ({ name: `m${index}`, attributes: {}, unit: '' })),
    });
    expect(await ask(socket, 'schema', { ref, schema: wide })).toMatchObject({ ok: true });
    const frame = (first: number) => {
      const samples = Array.from({ length: 128 }, (_, row) => ({
        ...sampleOf(first + row),
        ...{ schema: { ...wide, ref }, values: wide.series.map(() => 7) },
      }));
      const bytes = encodeSamples({ epoch: epochOf('a1'), firstSeq: first, samples });
      return ask(socket, 'frame', { lane: 'live' }, bytes);
    };
    expect(await frame(1)).toMatchObject({ ok: true });
    expect(await frame(129)).toMatchObject({
      error: { code: 'rate_limited', retryAfterMs: expect.any(Number) },
    });
    await honestAgentIsServed(hq);
  });

  it('that say hello hundreds of times are read more slowly, though each is accepted', async () => {
    const hq = await startHq();
    const socket = await hq.join();
    const isHeld = () => hq.events.some(({ type }) => type === 'held_back');
    let hellos = 0;
    for (; hellos < 400 && !isHeld(); hellos += 1)
      expect(await ask(socket, 'hello', helloOf('a1'))).toMatchObject({ ok: true });
    expect(hellos).toBeGreaterThan(20);
    expect(isHeld()).toBe(true);
    await honestAgentIsServed(hq);
  });

  it('that say hello again and again are read more slowly once it was refused', async () => {
    const hq = await startHq();
    const socket = await hq.join();
    expect(await ask(socket, 'hello', { ...helloOf('a1'), protocol: 99 })).toMatchObject({
      error: { code: 'unsupported_version' },
    });
    expect(hq.events.filter(({ type }) => type === 'held_back').length).toBeGreaterThan(0);
    await honestAgentIsServed(hq);
  });

  it('that send more notes in a frame than HQ reads at once are told to split it', async () => {
    const hq = await startHq();
    const socket = await joinAs(hq, 'a1');
    const anomalies = Array.from({ length: 2_100 }, (_, index) => anomalyOf(index % 2));
    const frame = (first: number, samples: readonly Sample[]) =>
      ask(
        socket,
        'frame',
        { lane: 'backlog' },
        encodeSamples({ epoch: epochOf('a1'), firstSeq: first, samples }),
      );
    expect(await frame(1, [sampleOf(1, anomalies), sampleOf(2, anomalies)])).toMatchObject({
      error: { code: 'too_large', message: expect.stringContaining('split it') },
    });
    expect(await frame(1, [sampleOf(1, anomalies)])).toMatchObject({ ok: true });
    // One sample cannot be split.
    expect(await frame(2, [sampleOf(2, [...anomalies, ...anomalies])])).toMatchObject({ ok: true });
  });

  it('that ask for unknown namespaces are refused', async () => {
    const hq = await startHq();
    const socket = hq.raw('/secret');
    const refused = await new Promise<Error>((resolve) => void socket.on('connect_error', resolve));
    expect(refused.message).toBe('Invalid namespace');
    await honestAgentIsServed(hq);
  });

  it('that pile up unanswered messages are refused more', async () => {
    const hq = await startHq({ chaos: { admit: () => NEVER } });
    const socket = await hq.join();
    const refused = vi.fn();
    for (let index = 0; index < 300; index += 1) socket.emit('hello', helloOf('a1'), refused);
    await eventually(() => expect(refused).toHaveBeenCalledTimes(44));
    expect(refused.mock.calls[0]?.[0]).toMatchObject({ ok: false, error: { code: 'rate_limited' } });
  });
});
