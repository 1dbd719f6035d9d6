/** Many agents lose HQ and come back: real sockets, a real HQ process that is killed, the agents' real uplinks. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { densest } from '../support/densest.ts';
import { built, node } from '../support/holdfast.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { expectWithin, long, sized } from '../support/long.ts';
import { highest, keepFigures, MB, watchMemory } from '../support/memory.ts';
import { watchSlowness } from '../support/slowness.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const AGENTS = sized(150, 2_000);
/** Few for few agents, so that they have to wait for each other all the same. */
const DRAIN_SLOTS = sized(4, 64);
/** Agents that must have been seen to wait at the same time. */
const WAITING_AT_LEAST = sized(10, 100);
const ORDER = {
  agents: AGENTS,
  // All agents share one process: 400 samples a second of 2,000 would leave it no time for their backlogs.
  samplePeriodMs: sized(5_000, 10_000),
  backlog: 3_600,
  frameSamples: 900,
  // Far less than a backlog of 14 KB, so that one takes seconds however fast the machine is: agents wait for slots.
  maxBytesPerSecond: sized(16_384, 4_096),
  attempts: sized(3, 5),
  backoffMaxMs: sized(6_000, 60_000),
};
/** With thousands of agents somebody always draws almost the longest wait, which leaves room to connect. */
const LIVE_WITHIN_MS = ORDER.backoffMaxMs;
/** Queue of HQ, as docs/architecture.md states it. */
const BOUNDS = {
  holdfast_hq_queue_bytes: 64 * 2 ** 20,
  holdfast_hq_queue_frames: 8_192,
  // A quarter more: agents that become faster in their turn keep it to its end.
  holdfast_hq_drain_slots_taken: 1.25 * DRAIN_SLOTS,
} as const;
const WAITING = 'holdfast_hq_drain_waiting_agents';
const METRICS_EVERY_MS = 250;
const MAX_HQ_MB = 600;
const HQ_FLAGS = [
  ...['--log-level', 'warn', '--limits-requests-per-minute', '1000000'],
  ...['--limits-drain-slots', String(DRAIN_SLOTS)],
];

const lineSchema = z.looseObject({ event: z.string() });
const drainedSchema = z.object({
  agents: z.array(
    z.object({
      id: z.string(),
      opened: z.number(),
      live: z.number(),
      drained: z.number(),
      sampled: z.number(),
    }),
  ),
});

type Came = z.infer<typeof drainedSchema>['agents'];

function startChild(url: string) {
  const script = fileURLToPath(new URL('./stampede-child.ts', import.meta.url));
  const child = spawn(node, [script, JSON.stringify({ url, ...ORDER })], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let lines: z.infer<typeof lineSchema>[] = [];
  createInterface({ input: child.stdout }).on('line', (line) =>
    lines.push(lineSchema.parse(JSON.parse(line))),
  );
  return {
    order: (text: string) => void child.stdin.write(`${text}\n`),
    said: (event: string) =>
      until(
        `the agents to be ${event}`,
        () => {
          if (child.exitCode !== null) throw new Error(`the agents ended with ${child.exitCode}`);
          const said = lines.find((line) => line.event === event);
          if (said !== undefined) lines = lines.filter((line) => line !== said);
          return said;
        },
        { deadlineMs: 400_000 },
      ),
  };
}

/** The highest value of each gauge, looked at four times a second. */
function watchGauges(url: string, names: readonly string[]) {
  const peaks = new Map(names.map((name) => [name, 0]));
  let looks = 0;
  const look = async () => {
    const text = await fetch(`${url}/metrics`).then(
      (response) => response.text(),
      () => '',
    );
    if (text !== '') looks += 1;
    for (const name of names) {
      const value = Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
      peaks.set(name, Math.max(peaks.get(name) ?? 0, value));
    }
  };
  const timer = setInterval(() => void look(), METRICS_EVERY_MS);
  onTestFinished(() => clearInterval(timer));
  return { peaks, looks: () => looks, end: () => clearInterval(timer) };
}

const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
function figuresOf(came: Came) {
  const waits = came.map(({ opened, drained }) => drained - opened);
  return {
    hellosInOneSecond: densest(came.map(({ opened }) => opened)),
    lastHelloMs: Math.max(...came.map(({ opened }) => opened)),
    lastLiveMs: Math.max(...came.map(({ live }) => live)),
    longestLiveAfterHelloMs: Math.max(...came.map(({ live, opened }) => live - opened)),
    lastDrainedMs: Math.max(...came.map(({ drained }) => drained)),
    meanWaitMs: mean(waits),
    longestWaitMs: Math.max(...waits),
  };
}

/** How they come back is judged where the machine is theirs. */
function expectSpread(figures: ReturnType<typeof figuresOf>, slow: number): void {
  if (!long) return;
  // Waits of the fifth attempt are drawn from 0 to 16 s at least: what is left of them falls on any second with 1 in 8
  // at most.
  expect(figures.hellosInOneSecond).toBeLessThan(0.2);
  expectWithin(figures.lastLiveMs, slow * LIVE_WITHIN_MS);
  expect(figures.longestWaitMs).toBeLessThanOrEqual(slow * 3 * figures.meanWaitMs);
}

it(`brings ${AGENTS} agents back after an hour, spread out, live first, in fair turns, within every bound`, async () => {
  const dataDir = join(temporaryFolder(), 'hq');
  const first = await startHqProcess(dataDir, { args: HQ_FLAGS, ...built });
  const port = Number(new URL(first.url).port);
  const agents = startChild(first.url);
  await agents.said('online');

  await first.end('SIGKILL');
  agents.order('stock');
  await agents.said('stocked');
  agents.order('lose');
  await agents.said('lost');

  const hq = await startHqProcess(dataDir, { port, args: HQ_FLAGS, ...built });
  agents.order('back');
  const slowness = await watchSlowness();
  const memory = watchMemory(hq.pid, 100);
  const gauges = watchGauges(hq.url, [...Object.keys(BOUNDS), WAITING]);
  const { agents: came } = drainedSchema.parse(await agents.said('drained'));
  gauges.end();

  const figures = {
    ...figuresOf(came),
    hqMb: highest(memory) / MB,
    hqAnonymousMb: Math.max(...memory.map(({ anonymous }) => anonymous)) / MB,
    looks: gauges.looks(),
    ...Object.fromEntries(gauges.peaks),
  };

  // A planned restart: all lose HQ at the same moment, and their first waits are short.
  expect(await hq.end('SIGTERM')).toBe(0);
  agents.order('lose');
  await agents.said('lost');
  const last = await startHqProcess(dataDir, { port, args: HQ_FLAGS, ...built });
  agents.order('back');
  const againGauges = watchGauges(last.url, Object.keys(BOUNDS));
  const { agents: again } = drainedSchema.parse(await agents.said('drained'));
  againGauges.end();
  const slow = slowness.factor();
  await slowness.end();
  const restart = { ...figuresOf(again), ...Object.fromEntries(againGauges.peaks) };
  keepFigures('stampede', { slow, outage: figures, restart });

  expect(came).toHaveLength(AGENTS);
  expectSpread(figures, slow);
  for (const [name, bound] of Object.entries(BOUNDS))
    expect(gauges.peaks.get(name), name).toBeLessThanOrEqual(bound);
  // There was something to be fair about.
  expect(gauges.peaks.get(WAITING)).toBeGreaterThanOrEqual(WAITING_AT_LEAST);
  expect(gauges.peaks.get('holdfast_hq_drain_slots_taken')).toBeGreaterThanOrEqual(DRAIN_SLOTS);
  expect(figures.hqMb).toBeLessThan(MAX_HQ_MB);

  expect(again).toHaveLength(AGENTS);
  expectWithin(restart.lastLiveMs, slow * LIVE_WITHIN_MS);
  for (const [name, bound] of Object.entries(BOUNDS))
    expect(againGauges.peaks.get(name), name).toBeLessThanOrEqual(bound);

  for (const { id, sampled } of again) {
    const [entry, ...others] = await ledgerOf(last.url, id);
    expect(others).toEqual([]);
    expect(entry).toMatchObject({ sampled, stored: sampled, pending: 0, contiguous: sampled, gaps: [] });
  }
  expect(await last.end('SIGTERM')).toBe(0);
}, 900_000);
