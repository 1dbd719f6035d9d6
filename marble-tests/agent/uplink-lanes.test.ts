import { describe, expect, it } from 'vitest';
import { LinkError } from '../../src/agent/uplink/link.ts';
import { createRig, RTT_MS } from './uplink-rig.ts';

/** No overlap of what is in flight at any moment, given one round trip of flight. */
function flights(sent: readonly { at: number; first: number; last: number }[]): number {
  return sent.filter((one, index) =>
    sent
      .slice(0, index)
      .some((other) => other.at + RTT_MS > one.at && other.first <= one.last && one.first <= other.last),
  ).length;
}

describe('a backlog', () => {
  it('is one while what was read of it waits, with nothing on its way', () => {
    const rig = createRig({ maxFrameSamples: 10 });
    for (let frame = 1; frame <= 60; frame += 1) rig.append(10);
    rig.script.frame = () => {
      rig.script.credit = 0;
      return undefined;
    };
    rig.start();
    rig.run(2_000);
    expect(rig.status()).toMatchObject({ phase: 'online', backlog: 0, live: 0, behind: true });
    rig.script.frame = () => {
      rig.script.credit = 8;
      return undefined;
    };
    rig.credit(8);
    rig.run(5_000);
    expect(rig.status()).toMatchObject({ behind: false });
  });
});

describe('live lane', () => {
  it('sends each committed frame at once and releases it when HQ has it', () => {
    const rig = createRig();
    rig.start();
    rig.run(100);
    rig.append(3);
    expect(rig.sent).toMatchObject([{ at: 100, lane: 'live', first: 1, last: 3 }]);
    rig.run(RTT_MS);
    expect(rig.journal.stats()).toMatchObject({ sampled: 3, released: 3, pending: 0, pendingFrames: 0 });
  });

  it('merges what is committed faster than HQ confirms, and loses nothing', () => {
    const rig = createRig();
    rig.start();
    rig.run(50);
    for (let count = 0; count < 40; count += 1) rig.append(1);
    rig.run(1_000);
    const live = rig.sent.filter(({ lane }) => lane === 'live');
    expect(live.slice(0, 4).map(({ first, last }) => [first, last])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
    ]);
    expect(live[4]).toMatchObject({ first: 5, last: 40 });
    expect(rig.hq.coverage()).toEqual({ contiguous: 40, ranges: [] });
    expect(rig.hq.stored()).toBe(40);
  });

  it('is outside of the credit', () => {
    const rig = createRig({ credit: 0 });
    rig.append(1);
    rig.start();
    rig.run(100);
    rig.append(1);
    rig.run(100);
    expect(rig.hq.coverage().contiguous).toBe(2);
    expect(rig.sent.every(({ lane }) => lane === 'live')).toBe(true);
  });
});

describe('after an outage', () => {
  it('sends the newest first, then what is anomalous, then the oldest first', () => {
    const rig = createRig({ credit: 1 });
    for (let frame = 1; frame <= 20; frame += 1) rig.append(1, frame === 9);
    rig.start();
    rig.run(1_000);
    const order = rig.sent.map(({ first, last }) => [first, last]);
    expect(order.slice(0, 2)).toEqual([
      [17, 20],
      [9, 9],
    ]);
    // Small frames travel together.
    expect(order.slice(2)).toEqual([
      [1, 8],
      [10, 16],
    ]);
    expect(rig.hq.stored()).toBe(20);
    expect(rig.journal.stats()).toMatchObject({ pending: 0, pendingFrames: 0 });
  });

  it('a fresh sample overtakes the backlog, and no seq is in flight twice', () => {
    const rig = createRig({ credit: 2 });
    for (let frame = 1; frame <= 100; frame += 1) rig.append(1);
    rig.start();
    rig.run(100);
    rig.append(1);
    expect(rig.sent.at(-1)).toMatchObject({ at: 100, lane: 'live', first: 101 });
    rig.run(2_000);
    expect(rig.hq.coverage()).toEqual({ contiguous: 101, ranges: [] });
    expect(flights(rig.sent)).toBe(0);
    expect(new Set(rig.sent.map(({ first }) => first)).size).toBe(rig.sent.length);
  });

  it('keeps at most min(credit, maxInFlight) backlog frames in flight and follows the credit', () => {
    const rig = createRig({ credit: 2 }, { maxInFlight: 4 });
    // No two of them fit one message.
    for (let frame = 1; frame <= 200; frame += 1) rig.append(300);
    const most = (from: number, to: number) => {
      const backlog = rig.sent.filter(({ lane, at }) => lane === 'backlog' && at >= from && at < to);
      return Math.max(
        ...backlog.map((one) => backlog.filter(({ at }) => at > one.at - RTT_MS && at <= one.at).length),
      );
    };
    rig.start();
    rig.run(200);
    expect(most(0, 200)).toBe(2);
    rig.script.credit = 100;
    rig.credit(100);
    rig.run(200);
    expect(most(220, 400)).toBe(4);
  });

  it('a credit of 0 holds the backlog until HQ grants some', () => {
    const rig = createRig({ credit: 0 });
    for (let frame = 1; frame <= 10; frame += 1) rig.append(1);
    rig.start();
    rig.run(1_000);
    expect(rig.sent.filter(({ lane }) => lane === 'backlog')).toEqual([]);
    rig.script.credit = 4;
    rig.credit(4);
    rig.run(1_000);
    expect(rig.hq.coverage().contiguous).toBe(10);
  });

  it('paces the backlog by the bandwidth budget, and the live lane not', () => {
    const rig = createRig({}, { maxBytesPerSecond: 10_000 });
    for (let frame = 1; frame <= 300; frame += 1) rig.append(100);
    rig.start();
    rig.run(10_000);
    const bytes = rig.sent.filter(({ lane }) => lane === 'backlog').reduce((sum, one) => sum + one.bytes, 0);
    // What the burst of one second and ten seconds allow.
    expect(bytes).toBeLessThanOrEqual(11 * 10_000 + 262_144);
    expect(bytes).toBeGreaterThan(9 * 10_000 - 1000);
    rig.append(1);
    expect(rig.sent.at(-1)).toMatchObject({ lane: 'live', at: 10_000 });
  });

  it('merges small frames while offline, so that the drain is in large ones', () => {
    const rig = createRig(
      { connect: (n) => (n < 3 ? new LinkError('refused', 'nobody there') : undefined) },
      { backoffInitialMs: 20_000 },
    );
    rig.start();
    for (let frame = 1; frame <= 1_000; frame += 1) {
      rig.append(4);
      rig.run(5);
    }
    rig.run(120_000);
    expect(rig.hq.coverage()).toEqual({ contiguous: 4_000, ranges: [] });
    expect(rig.sent.length).toBeLessThan(60);
    expect(rig.hq.stored()).toBe(4_000);
  });
});

describe('HQ already has it', () => {
  it('releases what the hello acknowledges without sending it', () => {
    const rig = createRig();
    rig.append(5);
    rig.hq.lose({ contiguous: 5, ranges: [] });
    rig.start();
    rig.run(100);
    expect(rig.sent).toEqual([]);
    expect(rig.journal.stats()).toMatchObject({ released: 5, pendingFrames: 0 });
  });
});

describe('schemas', () => {
  it('are sent once when HQ asks, and the frame again', () => {
    const rig = createRig({ needsSchemas: true });
    for (let frame = 1; frame <= 6; frame += 1) rig.append(1);
    rig.start();
    rig.run(200);
    expect(rig.schemas).toHaveLength(1);
    expect(rig.hq.coverage().contiguous).toBe(6);
  });
});

describe('what HQ took for the answer to hello', () => {
  const leastAfter = (heldMs: { took: number; told?: number }, joinedMs = RTT_MS) => {
    const rig = createRig({ heldMs, joinedMs });
    rig.start();
    // The connection, and hello; nothing else has been answered yet.
    rig.run(2 * RTT_MS + heldMs.took + 1);
    return rig.status()?.link?.minRttMs;
  };

  it('is not taken for the way, where HQ tells it', () => {
    expect(leastAfter({ took: 400 })).toBe(RTT_MS + 400);
    expect(leastAfter({ took: 400, told: 395 })).toBe(RTT_MS + 5);
  });

  it('is not believed beyond what the join took', () => {
    expect(leastAfter({ took: 0, told: 5_000 })).toBe(RTT_MS);
  });

  it('makes no way longer than hello says, although the join was held up', () => {
    expect(leastAfter({ took: 0, told: 0 }, 500)).toBe(RTT_MS);
  });
});
