/** HQ that takes no frames over a connection that stays, and the circuit breaker between them. */
import { describe, expect, it } from 'vitest';
import { agentConfigSchema } from '../../src/agent/config.ts';
import { PRESETS } from '../../src/agent/presets.ts';
import { LinkError } from '../../src/agent/uplink/link.ts';
import { createRig, type Rig, RTT_MS, refusal, sampleFor } from './uplink-rig.ts';

describe('HQ that takes no frames', () => {
  it('unavailable pauses, opens the breaker after five rounds, probes gently and closes it', () => {
    let down = false;
    const rig = createRig({ frame: () => (down ? refusal('unavailable', 500) : undefined) });
    rig.append(1);
    rig.start();
    rig.run(100);
    down = true;
    rig.cut();
    for (let frame = 2; frame <= 30; frame += 1) rig.append(1);
    const delivered = rig.sent.length;
    rig.run(40_000);
    expect(rig.status()).toMatchObject({ breaker: 'open', paused: 'unavailable' });
    expect(rig.logs('breaker_changed')).toMatchObject([{ before: 'closed', state: 'open' }]);
    expect(rig.logs('delivery_paused')).toHaveLength(1);
    expect(rig.connects).toHaveLength(2);
    const rounds = new Set(rig.sent.slice(delivered).map(({ at }) => at));
    expect(rounds.size).toBe(5);
    const before = rig.sent.length;
    down = false;
    rig.run(100_000);
    const probes = rig.sent.slice(before).filter(({ at }) => at === rig.sent[before]?.at);
    expect(probes.map(({ lane }) => lane)).toEqual(['live', 'backlog']);
    expect(rig.status()).toMatchObject({ breaker: 'closed', paused: null });
    expect(rig.hq.coverage()).toEqual({ contiguous: 30, ranges: [] });
    expect(rig.logs('delivery_resumed')).toHaveLength(1);
  });

  describe('says in its heartbeats whether it stores', () => {
    /**
     * Frames are refused, or stay without an answer, for a minute; HQ then stores again, and says so where it says it.
     */
    const play = (frame: 'unavailable' | 'silence', said: boolean | undefined) => {
      const now = { failing: true };
      const rig: Rig = createRig(
        {
          frame: () => (now.failing ? (frame === 'silence' ? frame : refusal(frame)) : undefined),
          heartbeat: () => ({
            ok: true,
            hqTs: 0,
            ack: { contiguous: rig.hq.coverage().contiguous, ranges: [] },
            ...(said === undefined ? {} : { storing: said && (frame === 'silence' || !now.failing) }),
          }),
        },
        { breakerOpenMs: 3_600_000 },
      );
      for (let frame = 1; frame <= 30; frame += 1) rig.append(1);
      rig.start();
      rig.run(60_000);
      expect(rig.status()?.breaker).toBe('open');
      now.failing = false;
      rig.run(60_000);
      return rig;
    };

    it('stores again: an open breaker tries at once, and all is delivered over the connection that there is', () => {
      const rig = play('unavailable', true);
      expect(rig.status()).toMatchObject({ breaker: 'closed', paused: null });
      expect(rig.hq.coverage()).toEqual({ contiguous: 30, ranges: [] });
      expect(rig.connects).toHaveLength(1);
    });

    it.each([
      ['does not store yet', 'unavailable', false],
      ['says nothing of it', 'unavailable', undefined],
      ['said all the time that it stores, but left frames unanswered', 'silence', true],
    ] as const)('%s: it waits for its time', (_, frame, said) => {
      const rig = play(frame, said);
      expect(rig.status()?.breaker).toBe('open');
      expect(rig.hq.coverage().contiguous).toBe(0);
    });

    it('does not store, then does, although frames stayed unanswered: it tries at once', () => {
      const now = { failing: true };
      const rig: Rig = createRig(
        {
          frame: () => (now.failing ? 'silence' : undefined),
          heartbeat: () => ({
            ok: true,
            hqTs: 0,
            ack: { contiguous: rig.hq.coverage().contiguous, ranges: [] },
            storing: !now.failing,
          }),
        },
        { breakerOpenMs: 3_600_000, breakerFailures: 2 },
      );
      for (let frame = 1; frame <= 30; frame += 1) rig.append(1);
      rig.start();
      rig.run(120_000);
      expect(rig.status()?.breaker).toBe('open');
      const connects = rig.connects.length;
      now.failing = false;
      rig.run(60_000);
      expect(rig.status()).toMatchObject({ breaker: 'closed', paused: null });
      expect(rig.hq.coverage()).toEqual({ contiguous: 30, ranges: [] });
      expect(rig.connects).toHaveLength(connects);
    });

    it.each([
      ['stores', () => true],
      ['stores in every other one', (count: number) => count % 2 === 0],
    ])('%s, and refuses frames all day: ten are tried more than by its time', (_, storing) => {
      const { uplink: atSea } = agentConfigSchema.parse(PRESETS['at-sea']);
      let count = 0;
      const rig: Rig = createRig(
        {
          frame: () => refusal('unavailable'),
          heartbeat: () => {
            count += 1;
            const ack = { contiguous: 0, ranges: [] };
            return { ok: true, hqTs: 0, ack, storing: storing(count) };
          },
        },
        atSea,
      );
      rig.append(1);
      rig.start();
      rig.run(60_000);
      const rounds = () => new Set(rig.sent.map(({ at }) => at)).size;
      const before = rounds();
      rig.run(24 * 3_600_000);
      expect(rig.connects).toHaveLength(1);
      expect(rounds() - before).toBeGreaterThan(24);
      // 10 s, 20 s … 2560 s, and then by its time.
      expect(rounds() - before).toBeLessThan(24 + 12);
    });

    it('stores, and refuses frames all the same: few are tried', () => {
      const rig: Rig = createRig(
        {
          frame: () => refusal('unavailable'),
          heartbeat: () => ({
            ok: true,
            hqTs: 0,
            ack: { contiguous: rig.hq.coverage().contiguous, ranges: [] },
            storing: true,
          }),
        },
        { breakerOpenMs: 3_600_000 },
      );
      for (let frame = 1; frame <= 30; frame += 1) rig.append(1);
      rig.start();
      rig.run(60_000);
      const before = new Set(rig.sent.map(({ at }) => at)).size;
      rig.run(3_500_000);
      expect(new Set(rig.sent.map(({ at }) => at)).size - before).toBeLessThanOrEqual(12);
    });
  });

  it('one refusal of many frames in flight is one failure', () => {
    const rig = createRig({ frame: ({ at }) => (at < 100 ? refusal('unavailable') : undefined) });
    for (let frame = 1; frame <= 30; frame += 1) rig.append(1);
    rig.start();
    rig.run(20_000);
    expect(rig.logs('breaker_changed')).toEqual([]);
    expect(rig.hq.coverage().contiguous).toBe(30);
  });

  it('a backlog that is rate_limited keeps no live frame waiting, and people are told that it waits', () => {
    const isHeld = { now: true };
    const rig = createRig({
      frame: ({ lane }) => (lane === 'backlog' && isHeld.now ? refusal('rate_limited', 2_000) : undefined),
    });
    // Too large for the live lane.
    for (let count = 0; count < 4; count += 1) rig.append(600);
    rig.start();
    rig.run(500);
    sampleFor(rig, 20_000);
    const live = rig.sent.filter(({ lane }) => lane === 'live');
    expect(live).toHaveLength(100);
    expect(live.every(({ first, last }) => first === last)).toBe(true);
    const tries = rig.sent.filter(({ lane }) => lane === 'backlog').length;
    expect(tries).toBeGreaterThan(4);
    expect(tries).toBeLessThanOrEqual(40);
    expect(rig.logs('delivery_paused')).toMatchObject([{ reason: 'rate_limited' }]);
    expect(rig.logs('delivery_resumed')).toEqual([]);
    expect(rig.status()).toMatchObject({ phase: 'online', breaker: 'closed', paused: 'rate_limited' });
    isHeld.now = false;
    rig.run(20_000);
    expect(rig.hq.coverage()).toEqual({ contiguous: 2_500, ranges: [] });
    expect(rig.status()).toMatchObject({ paused: null });
  });

  it('a suspect waits for credit like the rest of the backlog, and keeps no live frame waiting', () => {
    const rig = createRig({
      credit: 0,
      frame: ({ first, lane, connection }) =>
        first <= 4 && (lane === 'backlog' || connection < 4) ? 'close' : undefined,
    });
    rig.append(2);
    rig.start();
    rig.run(60_000);
    expect(rig.connects.length).toBe(4);
    sampleFor(rig, 10_000);
    expect(rig.sent.filter(({ lane }) => lane === 'backlog')).toEqual([]);
    expect(rig.hq.coverage().ranges).toEqual([[3, 52]]);
  });

  it('rate_limited waits as long as it is told and does not open the breaker', () => {
    const rig = createRig({ frame: ({ at }) => (at < 30_000 ? refusal('rate_limited', 5_000) : undefined) });
    rig.append(1);
    rig.start();
    rig.run(60_000);
    const gaps = rig.sent.slice(1).map(({ at }, index) => at - (rig.sent[index]?.at ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(5_000);
    expect(rig.logs('breaker_changed')).toEqual([]);
    expect(rig.hq.coverage().contiguous).toBe(1);
  });

  it('five silent acks in a row open the breaker; heartbeats go on meanwhile', () => {
    const rig = createRig({ frame: () => 'silence' }, { breakerFailures: 3, backoffMaxMs: 1_000 });
    rig.append(1);
    rig.start();
    rig.run(45_000);
    expect(rig.logs('breaker_changed')).toMatchObject([{ before: 'closed', state: 'open' }]);
    const heartbeats = rig.heartbeats.length;
    const frames = rig.sent.length;
    rig.run(20_000);
    expect(rig.sent).toHaveLength(frames);
    expect(rig.heartbeats.length).toBeGreaterThan(heartbeats + 2);
    expect(rig.heartbeats.at(-1)).toMatchObject({ breaker: 'open', pending: 1 });
  });
});

describe('a breaker that stays open for an hour', () => {
  const { uplink: settings } = agentConfigSchema.parse(PRESETS['at-sea']);
  /** HQ takes no frame until the breaker is open; then it is away for a minute. */
  const opened = () => {
    const isHqUp = { now: true };
    const rig = createRig(
      {
        connect: () => (isHqUp.now ? undefined : new LinkError('refused', 'no')),
        frame: () => refusal('unavailable'),
      },
      settings,
    );
    rig.append(1);
    rig.start();
    rig.run(60_000);
    isHqUp.now = false;
    rig.cut();
    rig.run(60_000);
    isHqUp.now = true;
    return rig;
  };

  it('tries as soon as HQ has accepted, with no more frames than by its time, and closes', () => {
    const rig = opened();
    expect(rig.status()).toMatchObject({ breaker: 'open' });
    for (let count = 0; count < 10; count += 1) rig.append(1);
    rig.script.frame = () => undefined;
    const before = rig.sent.length;
    // The longest wait for a reconnection, and a few round trips.
    rig.run(settings.backoffMaxMs);
    expect(rig.status()).toMatchObject({ phase: 'online', breaker: 'closed' });
    expect(rig.hq.coverage()).toEqual({ contiguous: 11, ranges: [] });
    const first = rig.sent[before]?.at ?? 0;
    expect(rig.sent.slice(before).filter(({ at }) => at < first + RTT_MS).length).toBeLessThanOrEqual(2);
  });

  it('is not got round by an HQ that accepts, takes no frame and is gone again', () => {
    const rig = opened();
    const before = rig.sent.length;
    const rounds = () => new Set(rig.sent.slice(before).map(({ connection }) => connection)).size;
    const since = rig.connects.length;
    // Each minute HQ is there again.
    for (let minute = 0; minute < 24 * 60; minute += 1) {
      rig.run(60_000);
      rig.cut();
    }
    expect(rig.connects.length - since).toBeGreaterThan(150);
    expect(rounds()).toBeGreaterThan(24);
    // 10 s, 20 s … 2560 s, and then by its time.
    expect(rounds()).toBeLessThan(24 + 12);
  });
});
