import { describe, expect, it } from 'vitest';
import { LinkError, type LinkFailure } from '../../src/agent/uplink/link.ts';
import { EMPTY_COVERAGE } from '../../src/protocol/coverage.ts';
import type { FrameReply, WireErrorCode } from '../../src/protocol/events.ts';
import { createRig, RTT_MS, refusal, sampleFor } from './uplink-rig.ts';

const ack = (contiguous: number, ranges: [number, number][] = []): FrameReply => ({
  ok: true,
  ack: { contiguous, ranges },
  credit: 8,
});
describe('connecting', () => {
  it.each<LinkFailure>(['refused', 'dns', 'tls', 'redirect', 'protocol', 'unauthorized', 'unreachable'])(
    '%s is logged once, however often it is tried',
    (kind) => {
      const rig = createRig({ connect: () => new LinkError(kind, 'the reason') });
      rig.start();
      rig.run(3_600_000);
      expect(rig.connects.length).toBeGreaterThan(20);
      expect(rig.logs('link_down')).toMatchObject([{ kind, detail: 'the reason' }]);
      expect(rig.status()).toMatchObject({ phase: 'waiting', reason: 'the reason' });
    },
  );

  it('waits between 0 and a ceiling that doubles up to nine tenths of the maximum', () => {
    const rig = createRig({ connect: () => new LinkError('refused', 'no') });
    rig.start();
    rig.run(1_000_000);
    const waits = rig.connects.slice(1).map((at, index) => at - (rig.connects[index] ?? 0) - RTT_MS);
    waits.forEach((wait, attempt) => {
      expect(wait).toBeLessThanOrEqual(Math.min(54_000, 1_000 * 2 ** attempt));
    });
    expect(Math.max(...waits)).toBeGreaterThan(30_000);
    expect(new Set(waits).size).toBeGreaterThan(waits.length / 2);
  });

  it('silence ends at the deadline, with one line', () => {
    const rig = createRig({ connect: () => 'silence' });
    rig.start();
    rig.run(9_999);
    expect(rig.logs('link_down')).toEqual([]);
    rig.run(600_000);
    expect(rig.logs('link_down')).toMatchObject([{ kind: 'timeout', at: 10_000 }]);
  });

  it.each([
    ['silent, for as long as an attempt may be', 'silence', 4_000, 4_000],
    ['refused at once, within the hint from start to start', 'refused', 0, 2_000],
  ] as const)(
    'a way that has worked is tried again all the time where it is %s',
    (_how, failure, least, most) => {
      const rig = createRig({
        hello: () => ({
          ok: true,
          protocol: 1,
          ack: { contiguous: 0, ranges: [] },
          limits: { maxFrameBytes: 262_144, maxFrameSamples: 4_096, maxSeries: 1_000 },
          credit: 8,
          hqTs: 0,
          reconnectMs: 2_000,
        }),
        connect: (n) =>
          n === 1 ? undefined : failure === 'silence' ? failure : new LinkError(failure, 'no'),
        frame: () => 'close',
      });
      rig.start();
      rig.append(1);
      rig.run(600_000);
      const gaps = rig.connects.slice(2).map((at, index) => at - (rig.connects[index + 1] ?? 0));
      expect(gaps.length).toBeGreaterThan(100);
      expect(Math.max(...gaps)).toBeLessThanOrEqual(most);
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(least);
    },
  );

  it('another kind of failure is another episode, and coming back is told', () => {
    const failures = ['refused', 'refused', 'dns', 'dns'] as const;
    const rig = createRig({
      connect: (n) => {
        const kind = failures[n - 1];
        return kind === undefined ? undefined : new LinkError(kind, kind);
      },
    });
    rig.start();
    rig.run(60_000);
    expect(rig.logs('link_down')).toMatchObject([{ kind: 'refused' }, { kind: 'dns' }]);
    expect(rig.logs('link_up')).toMatchObject([{ after: 'dns' }]);
    expect(rig.status()).toMatchObject({ phase: 'online', attempt: 0 });
  });

  it('a lost connection and the attempts that nothing answers are one episode', () => {
    const failures = ['closed', 'refused', 'refused', 'timeout', 'unauthorized'] as const;
    const rig = createRig({
      connect: (n) => {
        const kind = failures[n - 1];
        return kind === undefined ? undefined : new LinkError(kind, kind);
      },
    });
    rig.start();
    rig.run(600_000);
    expect(rig.logs('link_down')).toMatchObject([{ kind: 'closed' }, { kind: 'unauthorized' }]);
    expect(rig.logs('link_up')).toMatchObject([{ after: 'unauthorized' }]);
  });

  it.each<WireErrorCode>(['unauthorized', 'unsupported_version', 'duplicate_agent'])(
    'a hello refused with %s is logged once and tried again slowly',
    (code) => {
      const rig = createRig({ hello: () => refusal(code) });
      rig.start();
      rig.run(600_000);
      expect(rig.logs('link_down')).toMatchObject([{ kind: code }]);
      expect(rig.connects.length).toBeGreaterThanOrEqual(10);
      expect(rig.connects.length).toBeLessThanOrEqual(21);
      expect(rig.sent).toEqual([]);
    },
  );
});

describe('an open connection', () => {
  it('an ack that does not come ends it, and the frame arrives over the next', () => {
    const rig = createRig({ frame: ({ connection }) => (connection === 1 ? 'silence' : undefined) });
    rig.start();
    rig.run(100);
    rig.append(1);
    rig.run(9_999);
    expect(rig.connects).toHaveLength(1);
    rig.run(3_000);
    // The time that the link may need comes on top.
    expect(rig.logs('link_down')).toMatchObject([{ kind: 'timeout', at: 10_108 }]);
    expect(rig.hq.coverage().contiguous).toBe(1);
    expect(rig.journal.stats().pending).toBe(0);
  });

  it('a heartbeat that is not answered ends it', () => {
    let silent = true;
    const rig = createRig({ heartbeat: () => (silent ? 'silence' : undefined) });
    rig.start();
    rig.run(10_500);
    expect(rig.logs('link_down')).toMatchObject([{ kind: 'timeout' }]);
    silent = false;
    rig.run(10_000);
    expect(rig.status()?.phase).toBe('online');
  });

  it('survives cuts at any moment without losing or repeating a stored seq', () => {
    const rig = createRig();
    rig.start();
    for (let round = 0; round < 60; round += 1) {
      rig.append(3);
      rig.run(37 + (round % 13));
      if (round % 4 === 3) rig.cut();
    }
    rig.run(60_000);
    expect(rig.hq.coverage()).toEqual({ contiguous: 180, ranges: [] });
    expect(rig.journal.stats()).toMatchObject({ sampled: 180, pending: 0, dropped: {} });
  });

  it('events that it does not know are told once', () => {
    const rig = createRig();
    rig.start();
    rig.run(100);
    for (let count = 0; count < 5; count += 1) rig.ignored('surprise');
    rig.ignored('another');
    expect(rig.logs('unknown_event').map((event) => 'name' in event && event.name)).toEqual([
      'surprise',
      'another',
    ]);
  });
});

describe('lies', () => {
  it.each([
    ['seqs that were never given out', ack(1_000)],
    ['seqs that were never sent', ack(0, [[5, 9]])],
    [
      'ranges that touch',
      ack(0, [
        [2, 3],
        [4, 5],
      ]),
    ],
    [
      'ranges out of order',
      ack(0, [
        [8, 9],
        [2, 3],
      ]),
    ],
    ['a range that ends before it starts', ack(0, [[5, 3]])],
    ['not what was sent', ack(0)],
  ])('an ack of %s releases nothing and is told once', (_what, reply) => {
    const rig = createRig({ credit: 1, frame: () => reply });
    for (let frame = 1; frame <= 10; frame += 1) rig.append(1);
    rig.start();
    rig.run(300_000);
    expect(rig.journal.stats()).toMatchObject({ pending: 10, released: 0, acked: 0 });
    expect(rig.logs('link_down')).toMatchObject([{ kind: 'protocol' }]);
    expect(rig.connects.length).toBeGreaterThan(3);
    expect(rig.connects.length).toBeLessThan(60);
    rig.script.frame = () => undefined;
    rig.run(120_000);
    expect(rig.journal.stats()).toMatchObject({ pending: 0, released: 10 });
  });

  it('a hello that acknowledges the future is refused', () => {
    const rig = createRig({
      hello: () => ({
        ok: true,
        protocol: 1,
        ack: { contiguous: 99, ranges: [] },
        limits: { maxFrameBytes: 1e6, maxFrameSamples: 4096, maxSeries: 10 },
        credit: 8,
        hqTs: 0,
      }),
    });
    rig.append(10);
    rig.start();
    rig.run(100_000);
    expect(rig.journal.stats()).toMatchObject({ pending: 10, acked: 0 });
    expect(rig.sent).toEqual([]);
    expect(rig.logs('link_down')).toMatchObject([{ kind: 'protocol' }]);
  });
});

describe('an HQ restored from a backup', () => {
  it('tells how many samples it has accounted as lost, and they count once', () => {
    const rig = createRig({
      hello: (connection) => ({
        ok: true,
        protocol: 1,
        ack: { contiguous: 0, ranges: [] },
        ...(connection === 1 ? { lost: 561 } : {}),
        limits: { maxFrameBytes: 262_144, maxFrameSamples: 4096, maxSeries: 1000 },
        credit: 8,
        hqTs: 0,
      }),
      heartbeat: () => 'silence',
    });
    rig.start();
    rig.run(300_000);
    expect(rig.connects.length).toBeGreaterThan(1);
    expect(rig.logs('acks_taken_back')).toMatchObject([{ again: 0, lost: 561 }]);
  });

  it('gets one frame alone that asks for the schema, not all in flight to refuse', () => {
    const rig = createRig({ needsSchemas: true });
    rig.append(10);
    rig.start();
    rig.run(20_000);
    expect(rig.hq.stored()).toBe(10);
    rig.cut();
    rig.hq.lose(EMPTY_COVERAGE);
    rig.schemas.length = 0;
    for (let frame = 0; frame < 8; frame += 1) rig.append(10);
    rig.run(20_000);
    expect(rig.logs('acks_taken_back')).toHaveLength(1);
    expect(rig.hq.stored()).toBe(10 + 80 + 10);
    const again = rig.sent.filter(({ connection }) => connection === 2).map(({ first }) => first);
    // All but the one that asks cross once.
    expect(again.length).toBe(new Set(again).size + 1);
  });
});

describe('poison', () => {
  const breaks =
    (seq: number) =>
    ({ first, last, kind }: { first: number; last: number; kind: string }) =>
      kind === 'data' && first <= seq && seq <= last ? ('close' as const) : undefined;

  it('a frame that breaks connections is halved down to the sample, which alone is given up', () => {
    const rig = createRig({ frame: breaks(77) });
    for (let frame = 0; frame < 10; frame += 1) rig.append(20);
    rig.start();
    rig.run(1_800_000);
    expect(rig.journal.stats()).toMatchObject({
      sampled: 200,
      acked: 199,
      pending: 0,
      dropped: { rejected: 1 },
    });
    expect(rig.logs('samples_rejected')).toMatchObject([{ samples: 1 }]);
    const alone = rig.sent.filter(({ first, last, kind }) => first === 77 && last === 77 && kind === 'data');
    expect(alone).toHaveLength(3);
    rig.script.frame = () => undefined;
    rig.run(60_000);
    expect(rig.sent.at(-1)).toMatchObject({ kind: 'gap', first: 77, last: 77 });
    expect(rig.journal.stats().pendingFrames).toBe(0);
  });

  it('live samples go on arriving while it is sought', () => {
    const rig = createRig({ frame: breaks(3) }, { backoffMaxMs: 2_000 });
    rig.append(20);
    rig.start();
    sampleFor(rig, 120_000);
    rig.run(10_000);
    expect(rig.journal.stats()).toMatchObject({ acked: 619, pending: 0, dropped: { rejected: 1 } });
  });

  it.each<WireErrorCode>(['bad_frame', 'too_large', 'bad_request', 'too_many_series'])(
    '%s for one sample costs that sample only, without a reconnection',
    (code) => {
      const rig = createRig({
        frame: ({ first, last, kind }) =>
          kind === 'data' && first <= 7 && 7 <= last ? refusal(code) : undefined,
      });
      for (let frame = 0; frame < 5; frame += 1) rig.append(4);
      rig.start();
      rig.run(10_000);
      expect(rig.journal.stats()).toMatchObject({ acked: 19, pending: 0, dropped: { rejected: 1 } });
      expect(rig.connects).toHaveLength(1);
      expect(rig.hq.coverage()).toEqual({ contiguous: 20, ranges: [] });
    },
  );

  it('two bad samples of one frame are both found', () => {
    const rig = createRig({
      frame: ({ first, last, kind }) =>
        kind === 'data' && [5, 30].some((seq) => first <= seq && seq <= last)
          ? refusal('bad_frame')
          : undefined,
    });
    rig.append(40);
    rig.start();
    rig.run(10_000);
    expect(rig.journal.stats()).toMatchObject({ acked: 38, pending: 0, dropped: { rejected: 2 } });
  });

  it('a flaky line costs time, never data', () => {
    let count = 0;
    const rig = createRig({
      frame: () => {
        count += 1;
        return count % 3 === 0 ? 'close' : undefined;
      },
    });
    for (let frame = 0; frame < 20; frame += 1) rig.append(10);
    rig.start();
    rig.run(3_600_000);
    expect(rig.journal.stats()).toMatchObject({ acked: 200, pending: 0, dropped: {} });
  });
});

describe('a heartbeat that HQ refuses as bad_request', () => {
  const linkReport = { rate: null, minRttMs: null, queueMs: null, live: 0, backlog: 0 };

  it('for what it says of the link ends nothing: the next ones do without, until the next connection', () => {
    const rig = createRig({
      linkReport,
      heartbeat: ({ link }) => (link === undefined ? undefined : refusal('bad_request')),
    });
    rig.start();
    sampleFor(rig, 60_000);
    rig.run(1_000);
    expect(rig.connects).toHaveLength(1);
    expect(rig.journal.stats()).toMatchObject({ acked: 300, pending: 0 });
    expect(rig.heartbeats.length).toBeGreaterThan(5);
    expect(rig.heartbeats.filter(({ link }) => link !== undefined)).toHaveLength(1);
    expect(rig.logs('link_report_refused')).toMatchObject([{ detail: 'no: bad_request' }]);
    rig.cut();
    rig.run(20_000);
    expect(rig.connects).toHaveLength(2);
    expect(rig.heartbeats.filter(({ link }) => link !== undefined)).toHaveLength(2);
  });

  it('for all else ends the connection', () => {
    const rig = createRig({ linkReport, heartbeat: () => refusal('bad_request') });
    rig.start();
    rig.run(60_000);
    expect(rig.connects.length).toBeGreaterThan(1);
    expect(rig.logs('link_down')).toMatchObject([{ kind: 'bad_request' }]);
  });
});

describe("HQ's limits", () => {
  it('larger frames are split before they are sent', () => {
    const rig = createRig({ maxFrameSamples: 100, maxFrameBytes: 600 });
    rig.append(1_000);
    rig.start();
    rig.run(60_000);
    expect(Math.max(...rig.sent.map(({ bytes }) => bytes))).toBeLessThanOrEqual(600);
    expect(rig.hq.coverage()).toEqual({ contiguous: 1_000, ranges: [] });
    expect(rig.journal.stats().pendingFrames).toBe(0);
  });
});
