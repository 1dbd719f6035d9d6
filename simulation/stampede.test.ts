/** Thousands of simulated agents lose HQ and have it back, in a process of their own. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { densest } from '../tests/support/densest.ts';
import { sized } from '../tests/support/long.ts';
import { keepFigures } from '../tests/support/memory.ts';

const run = promisify(execFile);
const times = z.array(z.number());
const resultSchema = z.looseObject({
  // A null is an agent that never came so far.
  hellos: times,
  lives: times,
  waits: times,
  peaks: z.record(z.string(), z.number()),
  violations: z.array(z.looseObject({ rule: z.string() })),
  breakersOpen: z.number(),
  samples: z.number(),
  simulatedMs: z.number(),
  seconds: z.number(),
  peakMb: z.number(),
});

const SCRIPT = join(import.meta.dirname, 'stampede.ts');
// Stacks of the errors that an unreachable HQ is by the hundred thousand cost more than everything else about them.
const NODE = ['--stack-trace-limit=0', '--max-semi-space-size=32', '--max-old-space-size=1700'];

async function stampede(options: object) {
  const argv = [...NODE, SCRIPT, JSON.stringify({ seed: 1, ...options })];
  const { stdout } = await run(process.execPath, argv, { maxBuffer: 64 * 2 ** 20 });
  return resultSchema.parse(JSON.parse(stdout));
}

const most = (values: readonly number[]) => values.reduce((max, one) => Math.max(max, one), 0);
const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;

const agents = Number(process.env.STAMPEDE_AGENTS ?? sized(400, 5_000));
/** Dozens of waits each, so that how long HQ has been away does not show in who comes when. */
const OUTAGE_MINUTES = sized(10, 60);
/**
 * `limits.reconnectsPerSecond`: a twentieth of them, so that HQ's hint is 40 s, within what agents heed on default
 * settings.
 */
const PER_SECOND = agents / 20;
const LIVE_WITHIN_MS = 60_000;
const CREDIT_FRAMES = 8;
/** HQ's queue, as docs/architecture.md states it. */
const QUEUE = { frames: 8_192, bytes: 64 * 2 ** 20, backlogFrames: 4_096 };

describe('a stampede', () => {
  it(`of ${agents} agents after ${OUTAGE_MINUTES} minutes comes spread out, live first, in fair turns, within every bound`, async () => {
    const drainSlots = Math.ceil(agents / 600);
    const options = {
      agents,
      reconnectsPerSecond: PER_SECOND,
      drainSlots,
      periodMs: OUTAGE_MINUTES * 5_000,
      outageMs: OUTAGE_MINUTES * 60_000,
      failingMs: 0,
      drainWithinMs: 300_000,
    };
    const { hellos, lives, waits, peaks, ...rest } = await stampede(options);
    const figures = {
      hellosInOneSecond: densest(hellos),
      lastHelloMs: most(hellos),
      lastLiveMs: most(lives),
      meanWaitMs: mean(waits),
      longestWaitMs: most(waits),
      ...peaks,
    };
    const { samples, simulatedMs, seconds, peakMb } = rest;
    keepFigures('stampede-simulated', { ...figures, samples, simulatedMs, seconds, peakMb });

    // Nothing lost, nothing twice, every ledger exact.
    expect(rest.violations).toEqual([]);
    expect(hellos).toHaveLength(agents);
    // No second has more than HQ asked for, the first one and the agents that came while HQ knew few included, give or
    // take chance (four sigma): 9.4 % of 400, 6.2 % of 5,000.
    const share = PER_SECOND / agents;
    expect(figures.hellosInOneSecond).toBeLessThan(share + 4 * Math.sqrt((share * (1 - share)) / agents));
    expect(figures.lastLiveMs).toBeLessThan(LIVE_WITHIN_MS);
    for (const [name, bound] of Object.entries(QUEUE)) expect(peaks[name], name).toBeLessThanOrEqual(bound);
    // There was something to be fair about, and the slots were what everybody waited for.
    expect(peaks.waiting).toBeGreaterThan(agents / 10);
    expect(peaks.draining).toBe(drainSlots);
    expect(peaks.credit).toBeLessThanOrEqual(drainSlots * CREDIT_FRAMES);
    expect(figures.longestWaitMs).toBeLessThanOrEqual(3 * figures.meanWaitMs);
  });

  it('brings live samples back within a minute although breakers are open', async () => {
    const few = sized(60, 200);
    const options = {
      agents: few,
      reconnectsPerSecond: 100,
      drainSlots: 64,
      periodMs: 2_000,
      outageMs: 5_000,
      failingMs: 75_000,
    };
    const { hellos, lives, breakersOpen, violations } = await stampede({
      ...options,
      drainWithinMs: 120_000,
    });
    expect(violations).toEqual([]);
    expect(hellos).toHaveLength(few);
    expect(breakersOpen).toBeGreaterThan(few / 2);
    expect(most(lives)).toBeLessThan(LIVE_WITHIN_MS);
  });
});
