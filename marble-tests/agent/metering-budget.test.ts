import { describe, expect, it } from 'vitest';
import { createMeteringRig } from './metering-rig.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** The virtual day begins at midnight. */
const MIDNIGHT = 24 * HOUR;

describe('a link whose budget is used up', () => {
  const settings = { maxBytesPerDay: 1_000_000 };
  const used = (bytes: number, more = {}) => {
    const rig = createMeteringRig({ ...settings, ...more });
    rig.connect();
    // The live rate is known then, and small.
    rig.pass(31_000);
    rig.sends('backlog', bytes);
    rig.pass(1_000);
    return rig;
  };

  it('lets backlog wait first', () => {
    const rig = used(0);
    expect(rig.meter.gate.allows('backlog')).toBe(true);
    rig.sends('backlog', 895_000);
    rig.pass(1_000);
    expect(rig.meter.gate.allows('backlog')).toBe(false);
    expect(rig.meter.gate.allows('live')).toBe(true);
    expect(rig.isOpen).toBe(true);
  });

  it('tells HQ why before it ends', () => {
    const rig = used(910_000);
    expect(rig.meter.gate.status()).toMatchObject({ phase: 'reserve', why: 'budget_day' });
    rig.pass(MINUTE);
    expect(rig.isOpen).toBe(true);
    rig.heartbeat();
    rig.pass(5_000);
    expect(rig.ended?.kind).toBe('budget');
    expect(rig.ended?.message).toContain('data budget of the day is used up until 2026-01-02T00:00:00Z');
  });

  it('does not end while something is under way, such as an anomaly', () => {
    const rig = used(910_000, { answerMs: 8_000 });
    rig.heartbeat();
    rig.pass(5_000);
    rig.sends('backlog', 300);
    rig.pass(7_000);
    expect(rig.isOpen).toBe(true);
    rig.pass(5_000);
    expect(rig.ended?.kind).toBe('budget');
  });

  it('lets anomalies go also after many frames that cost less than they may', () => {
    const rig = createMeteringRig({ ...settings, answerMs: 8_000 });
    rig.connect();
    rig.pass(10_000);
    for (let count = 0; count < 600; count += 1) {
      rig.sends('live', 10);
      rig.pass(1_000);
    }
    rig.sends('backlog', 910_000 - rig.carried);
    rig.pass(1_000);
    expect(rig.meter.gate.status().phase).toBe('reserve');
    const before = rig.carried;
    rig.sends('live', 700);
    expect(rig.carried).toBe(before + 700);
  });

  it('comes back once an hour to say so', () => {
    const rig = used(910_000);
    rig.heartbeat();
    rig.pass(5_000);
    const tries: number[] = [];
    const before = rig.connections;
    for (let minute = 1; minute <= 180; minute += 1) {
      rig.connect();
      if (rig.isOpen) {
        tries.push(minute);
        rig.heartbeat();
      }
      rig.pass(MINUTE);
    }
    expect(rig.connections - before).toBe(2);
    const [first = 0, second = 0] = tries;
    expect(second - first).toBeGreaterThanOrEqual(60);
  });

  it('remembers over a restart that it has said so', () => {
    const rig = used(910_000);
    rig.heartbeat();
    rig.pass(5_000);
    rig.kill();
    rig.connect();
    expect(rig.ended?.kind).toBe('budget');
    rig.pass(HOUR);
    rig.connect();
    expect(rig.isOpen).toBe(true);
  });

  it('says when it lets the next connection through', () => {
    const rig = used(910_000);
    rig.heartbeat();
    rig.pass(5_000);
    const { ended } = rig;
    expect(ended?.againMs).toBe(HOUR);
    rig.pass(10 * MINUTE);
    rig.connect();
    // It was said a little before.
    const { againMs = 0 } = rig.ended ?? {};
    expect(againMs).toBeGreaterThan(49 * MINUTE);
    expect(againMs).toBeLessThanOrEqual(50 * MINUTE);
    rig.pass(againMs);
    rig.connect();
    expect(rig.isOpen).toBe(true);
  });

  it('says when the budget begins again where there is no byte left for an hour', () => {
    const rig = used(1_000_000);
    rig.pass(20 * HOUR);
    rig.connect();
    expect(rig.ended?.againMs).toBeGreaterThan(3 * HOUR);
    expect(rig.ended?.againMs).toBeLessThan(4 * HOUR);
    rig.pass(rig.ended?.againMs ?? 0);
    rig.connect();
    expect(rig.isOpen).toBe(true);
  });

  it('comes back for an anomaly, at most once a minute', () => {
    const rig = used(910_000);
    rig.heartbeat();
    rig.pass(5_000);
    rig.meter.anomaly();
    rig.connect();
    expect(rig.isOpen).toBe(false);
    rig.pass(MINUTE);
    rig.connect();
    expect(rig.isOpen).toBe(true);
    expect(rig.meter.gate.allows('notable')).toBe(true);
  });

  it('comes back for no anomaly once the hellos need what is left', () => {
    const rig = used(960_000);
    expect(rig.meter.gate.status().phase).toBe('spent');
    rig.heartbeat();
    rig.pass(5_000);
    rig.meter.anomaly();
    rig.pass(10 * MINUTE);
    rig.connect();
    expect(rig.isOpen).toBe(false);
  });

  it('comes back for no anomaly where connecting takes what may go for it', () => {
    const rig = used(946_000);
    expect(rig.meter.gate.status().phase).toBe('reserve');
    rig.heartbeat();
    rig.pass(5_000);
    rig.meter.anomaly();
    rig.pass(10 * MINUTE);
    rig.connect();
    expect(rig.isOpen).toBe(false);
  });

  it.each([300, 1_000, 9_000])(
    'keeps the share of the hellos, however many anomalies of %s bytes',
    (bytes) => {
      const rig = createMeteringRig({ maxBytesPerDay: 100_000 });
      rig.connect();
      rig.pass(31_000);
      rig.sends('live', 89_000);
      rig.pass(1_000);
      rig.heartbeat();
      rig.pass(5_000);
      expect(rig.ended?.kind).toBe('budget');
      const before = rig.carried;
      for (let minute = 1; minute < 60; minute += 1) {
        rig.meter.anomaly();
        rig.pass(MINUTE);
        rig.connect();
        // All at once: nothing of it is counted before the last is handed over.
        for (let count = 0; count < 20; count += 1) rig.sends('live', bytes);
        rig.heartbeat();
        rig.pass(5_000);
      }
      expect(rig.carried).toBeGreaterThan(before);
      expect(rig.day.left).toBeGreaterThanOrEqual(5_000);
    },
  );

  it('leaves hellos when it is killed', () => {
    const rig = used(89_000, { maxBytesPerDay: 100_000 });
    rig.heartbeat();
    rig.pass(5_000);
    const { used: before } = rig.day;
    rig.kill();
    expect(rig.day.used).toBeGreaterThanOrEqual(before);
    expect(rig.day.used - before).toBeLessThanOrEqual(100_000 / 64);
  });

  it('does not promise a hello without a byte left', () => {
    const rig = used(1_000_000);
    expect(rig.ended?.message).toContain('HQ hears nothing from this agent until then');
  });

  it('goes on at midnight', () => {
    const rig = used(910_000);
    rig.heartbeat();
    rig.pass(MIDNIGHT);
    expect(rig.phases.at(-1)).toEqual({ kind: 'open' });
    rig.connect();
    expect(rig.isOpen).toBe(true);
    expect(rig.meter.gate.allows('backlog')).toBe(true);
  });

  it('never carries more than the budget and the message that crossed it', () => {
    const rig = createMeteringRig(settings);
    for (let minute = 0; minute < 23 * 60; minute += 1) {
      if (!rig.isOpen) rig.connect();
      for (let second = 0; second < 60; second += 1) {
        rig.sends('live', 300);
        if (second % 5 === 0) rig.heartbeat();
        rig.pass(1_000);
      }
    }
    expect(rig.carried).toBeLessThanOrEqual(1_000_000 + 1_350);
    expect(rig.carried).toBeGreaterThan(900_000);
  });

  it('does not connect at all without a byte left', () => {
    const rig = used(1_000_000);
    expect(rig.ended?.kind).toBe('budget');
    rig.pass(20 * HOUR);
    rig.connect();
    expect(rig.isOpen).toBe(false);
  });

  it('counts an attempt that never reached HQ as none', () => {
    let down = false;
    const rig = used(910_000, { isDown: () => down });
    rig.heartbeat();
    rig.pass(5_000);
    down = true;
    rig.pass(HOUR);
    rig.connect();
    expect(rig.ended?.kind).toBe('refused');
    down = false;
    rig.connect();
    expect(rig.isOpen).toBe(true);
  });
});

describe('a link whose budget is used up, and that fails', () => {
  it('spends no more on it than a hello each hour would', () => {
    let down = false;
    const rig = createMeteringRig({ maxBytesPerDay: 1_000_000, failBytes: 1_000, isDown: () => down });
    rig.connect();
    rig.pass(31_000);
    rig.sends('backlog', 910_000);
    rig.pass(1_000);
    rig.heartbeat();
    rig.pass(5_000);
    down = true;
    rig.pass(HOUR);
    const before = rig.carried;
    for (let minute = 0; minute < 10 * 60; minute += 1) {
      rig.connect();
      rig.pass(MINUTE);
    }
    expect(rig.day.used).toBe(rig.carried);
    expect(rig.carried - before).toBeGreaterThanOrEqual(9 * 3_072);
    expect(rig.carried - before).toBeLessThanOrEqual(10 * 4_096);
  });
});
