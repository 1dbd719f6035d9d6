import { describe, expect, it } from 'vitest';
import { createMeteringRig } from './metering-rig.ts';

const HOUR = 3_600_000;
/** The virtual day begins at midnight. */
const MIDNIGHT = 24 * HOUR;

describe('the count of bytes', () => {
  it('is what the connections carry, both ways, whatever for', () => {
    const rig = createMeteringRig();
    rig.connect();
    rig.sends('live', 500);
    rig.heartbeat();
    rig.carries(77);
    rig.pass(2_000);
    rig.disconnect();
    expect(rig.day.used).toBe(rig.carried);
    rig.connect();
    rig.sends('backlog', 5_000);
    rig.disconnect();
    expect(rig.day.used).toBe(rig.carried);
    expect(rig.carried).toBe(1_350 + 550 + 250 + 77 + 1_300 + 5_000);
  });

  it('has what tries cost that opened nothing, the one before that opens included', () => {
    let down = true;
    const rig = createMeteringRig({ failBytes: 700, detours: 2, isDown: () => down });
    rig.connect();
    rig.connect();
    expect(rig.day.used).toBe(2 * 3 * 700);
    down = false;
    rig.connect();
    rig.heartbeat();
    rig.pass(2_000);
    rig.disconnect();
    expect(rig.day.used).toBe(rig.carried);
    expect(rig.carried).toBe(8 * 700 + 1_350 + 250);
  });

  it('takes what is not backlog for what live samples need', () => {
    const rig = createMeteringRig({ connectBytes: 0 });
    rig.connect();
    for (let second = 0; second < 100; second += 1) {
      rig.sends('live', 100);
      rig.sends('backlog', 10_000);
      rig.pass(1_000);
    }
    // Each answer is 50 bytes.
    expect(rig.meter.gate.status().liveRate).toBeCloseTo(200, -1);
  });

  it('goes on over a stop exactly, and begins a new day at midnight', () => {
    const rig = createMeteringRig();
    rig.connect();
    rig.carries(12_345);
    rig.pass(1_000);
    rig.stop();
    expect(rig.day.used).toBe(13_695);
    rig.pass(MIDNIGHT);
    expect(rig.day.used).toBe(0);
    expect(rig.meter.gate.status().month.used).toBe(13_695);
  });

  it.each([0, 1, 17, 300])('is never too low after kills, and too high by a chunk at most (%s)', (lag) => {
    const rig = createMeteringRig({ maxBytesPerDay: 10_000_000 });
    const chunk = 10_000_000 / 64;
    for (let kills = 1; kills <= 12; kills += 1) {
      rig.connect();
      for (let step = 0; step < 40; step += 1) {
        rig.carries(1_000 + 100 * kills);
        rig.pass(1_000);
      }
      rig.pass(lag);
      rig.kill();
      expect(rig.day.used).toBeGreaterThanOrEqual(rig.carried);
      expect(rig.day.used - rig.carried).toBeLessThanOrEqual(kills * chunk);
    }
  });

  it.each([
    ['day', { maxBytesPerDay: 5_000_000 }],
    ['month', { maxBytesPerMonth: 1_000_003 }],
  ])('is of whole bytes after kills, whatever the budget of the %s is divided by', (_span, budget) => {
    const rig = createMeteringRig(budget);
    for (let kills = 0; kills < 12; kills += 1) {
      rig.connect();
      // A chunk grows while it is short, and halves when it lasts.
      rig.carries(1_000 + 10_000 * kills);
      rig.pass(kills % 3 === 0 ? 100_000 : 1_000);
      rig.kill();
      const { day, month } = rig.meter.gate.status();
      expect([day.used, month.used].every(Number.isSafeInteger)).toBe(true);
    }
    expect(rig.writes.length).toBeGreaterThan(20);
    for (const { day, month } of rig.writes)
      expect([day.used, month.used].every(Number.isSafeInteger)).toBe(true);
  });

  it.each([0, 1, 17, 300])(
    'exceeds nothing that was carried after kills where there is no budget (%s)',
    (lag) => {
      const rig = createMeteringRig();
      for (let kills = 1; kills <= 12; kills += 1) {
        rig.connect();
        for (let step = 0; step < 400; step += 1) {
          rig.carries(1_000 + 100 * kills);
          rig.pass(1_000);
        }
        rig.pass(lag);
        rig.kill();
        expect(rig.day.used).toBeLessThanOrEqual(rig.carried);
        expect(rig.carried - rig.day.used).toBeLessThanOrEqual(kills * 34 * 1_024);
      }
      expect(rig.writes.length).toBeLessThan(12 * 50);
      expect(rig.day.used).toBeGreaterThan(0.9 * rig.carried);
    },
  );

  it('costs few writes however fast the link is', () => {
    const rig = createMeteringRig();
    rig.connect();
    for (let second = 0; second < 600; second += 1) {
      rig.carries(100_000_000);
      rig.pass(1_000);
    }
    expect(rig.writes.length).toBeLessThan(80);
  });

  it('goes on when its file cannot be written, says so once, and writes it when it can', () => {
    let fails = true;
    const rig = createMeteringRig({ maxBytesPerDay: 100_000_000, diskFails: () => fails });
    rig.connect();
    for (let second = 0; second < 60; second += 1) {
      rig.carries(1_000_000);
      rig.pass(1_000);
    }
    expect(rig.failures).toEqual(['the disk is read-only']);
    expect(rig.day.used).toBe(rig.carried);
    fails = false;
    rig.carries(1_000_000);
    rig.pass(15_000);
    rig.carries(1_000_000);
    rig.pass(5_000);
    rig.kill();
    expect(rig.day.used).toBeGreaterThanOrEqual(rig.carried);
  });
});

describe('windows', () => {
  it('tell when backlog may go', () => {
    const rig = createMeteringRig({ windows: ['02:00-03:00'] });
    const changes: boolean[] = [];
    rig.meter.gate.changes$.subscribe(() => changes.push(rig.meter.gate.allows('backlog')));
    expect(rig.meter.gate.status()).toMatchObject({ phase: 'live_only', why: 'window' });
    rig.pass(4 * HOUR);
    expect(changes).toEqual([true, false]);
  });
});
