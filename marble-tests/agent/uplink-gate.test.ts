import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { SendLane } from '../../src/agent/uplink/metering/data-budget.ts';
import { OPEN_GATE, type UplinkGate } from '../../src/agent/uplink/metering/gate.ts';
import { createRig } from './uplink-rig.ts';

/** A gate that the test opens and closes. */
function createGate(...lanes: SendLane[]) {
  const changes$ = new Subject<void>();
  let open: readonly SendLane[] = lanes;
  const gate: UplinkGate = { ...OPEN_GATE, allows: (lane) => open.includes(lane), changes$ };
  return {
    gate,
    allow: (...now: SendLane[]) => {
      open = now;
      changes$.next();
    },
  };
}
const seqs = (rig: ReturnType<typeof createRig>) => rig.sent.map(({ first, last }) => [first, last]);

describe('a link that may carry no backlog', () => {
  it('carries live samples and what is anomalous, and the rest once it may', () => {
    const { gate, allow } = createGate('live', 'notable', 'late');
    const rig = createRig({ gate });
    for (let frame = 1; frame <= 200; frame += 1) rig.append(1, frame === 9);
    rig.start();
    rig.run(2_000);
    rig.append(1);
    rig.run(60_000);
    expect(rig.hq.coverage().contiguous).toBe(0);
    expect(seqs(rig)).toContainEqual([9, 9]);
    expect(seqs(rig).at(-1)).toEqual([201, 201]);
    // The newest few are live.
    expect(rig.hq.stored()).toBeLessThan(12);
    const before = rig.sent.length;
    allow('live', 'notable', 'late', 'backlog');
    rig.run(2_000);
    expect(rig.sent.length).toBeGreaterThan(before);
    expect(rig.hq.coverage()).toEqual({ contiguous: 201, ranges: [] });
    expect(rig.hq.stored()).toBe(201);
  });

  it('stops amid the backlog, and goes on from there', () => {
    const { gate, allow } = createGate('live', 'notable', 'late', 'backlog');
    const rig = createRig({ gate, credit: 1, maxFrameSamples: 10 });
    for (let frame = 1; frame <= 30; frame += 1) rig.append(10);
    rig.start();
    rig.run(100);
    allow('live', 'notable', 'late');
    rig.run(1_000);
    const held = rig.hq.stored();
    expect(held).toBeLessThan(300);
    rig.run(60_000);
    expect(rig.hq.stored()).toBe(held);
    allow('live', 'notable', 'late', 'backlog');
    rig.run(5_000);
    expect(rig.hq.stored()).toBe(300);
  });
});

describe('a link that may carry no anomalies of the backlog', () => {
  it('carries fresh ones, and the others once it may', () => {
    const { gate, allow } = createGate('live', 'notable');
    const rig = createRig({ gate });
    for (let frame = 1; frame <= 200; frame += 1) rig.append(1, frame % 2 === 0);
    rig.start();
    rig.run(2_000);
    rig.append(1, true);
    rig.run(60_000);
    expect(seqs(rig).at(-1)).toEqual([201, 201]);
    expect(rig.sent.every(({ lane }) => lane === 'live')).toBe(true);
    expect(rig.hq.stored()).toBeLessThan(12);
    allow('live', 'notable', 'late');
    rig.run(5_000);
    expect(rig.hq.stored()).toBeGreaterThanOrEqual(100);
    expect(rig.hq.stored()).toBeLessThan(112);
  });
});

describe('a link that may carry anomalies only', () => {
  it('leaves live samples in the journal, and sends them when it may', () => {
    const { gate, allow } = createGate('notable', 'late');
    const rig = createRig({ gate });
    rig.append(3);
    rig.append(1, true);
    rig.start();
    rig.run(1_000);
    rig.append(1);
    rig.append(1, true);
    rig.append(1);
    rig.run(60_000);
    expect(seqs(rig)).toEqual([
      [4, 4],
      [6, 6],
    ]);
    allow('live', 'notable', 'late', 'backlog');
    rig.run(1_000);
    expect(rig.hq.coverage()).toEqual({ contiguous: 7, ranges: [] });
    expect(rig.hq.stored()).toBe(7);
  });

  it('leaves what waited when it was closed', () => {
    const { gate, allow } = createGate('live', 'notable', 'late', 'backlog');
    const rig = createRig({ gate });
    rig.start();
    rig.run(100);
    for (let count = 0; count < 20; count += 1) rig.append(1);
    allow('notable', 'late');
    rig.run(60_000);
    expect(rig.hq.stored()).toBe(4);
    allow('live', 'notable', 'late', 'backlog');
    rig.run(1_000);
    expect(rig.hq.stored()).toBe(20);
  });

  it('carries nothing of a suspected frame', () => {
    const { gate, allow } = createGate('live', 'notable', 'late', 'backlog');
    const rig = createRig({ gate, frame: ({ first }) => (first === 1 ? 'close' : undefined) });
    rig.append(40);
    rig.start();
    rig.run(5_000);
    allow('notable', 'late');
    rig.run(1_000);
    const before = rig.sent.length;
    rig.run(120_000);
    expect(rig.sent.length).toBe(before);
  });
});

describe('a link that may carry nothing', () => {
  it('still says hello and how the agent is', () => {
    const { gate } = createGate();
    const rig = createRig({ gate });
    rig.append(1, true);
    rig.start();
    rig.run(60_000);
    expect(rig.sent).toEqual([]);
    expect(rig.heartbeats.length).toBeGreaterThan(5);
    expect(rig.status()).toMatchObject({ phase: 'online' });
  });
});
