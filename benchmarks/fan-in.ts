/**
 * How many agents, each with one sample of 17 metrics a second, one HQ serves: the highest number with p99 from the
 * moment a sample is due until its ack within 250 ms. The agents live in one process, which shares the machine with HQ.
 * Baseline: the same load by HTTP POSTs on kept-alive connections into SQLite (baseline-hq-child.ts).
 *
 *     npm run build && node benchmarks/fan-in.ts [--prof DIR]
 */
import { join } from 'node:path';
import { z } from 'zod';
import { type BenchResult, type BenchRow, rounded } from './result.ts';
import { print } from './support/print.ts';
import {
  cpuSeconds,
  eventOf,
  inWorkshop,
  type Running,
  residentMb,
  startHq,
  type Workshop,
} from './support/processes.ts';

export type FanInOptions = {
  /** Numbers of agents to try, ascending; ends at the first that is too many. */
  readonly steps?: readonly number[];
  /** Of the baseline. */
  readonly baselineSteps?: readonly number[];
  /** How long each step is measured. Default 10. */
  readonly seconds?: number;
  /**
   * The highest number that did is then held for so long, s, and a lower one if it does not hold: only then does HQ's
   * background work, such as merging 64 small frames of an agent, show. 0: not at all. Default 100.
   */
  readonly holdSeconds?: number;
  /** Seconds before that. Default 3. */
  readonly warmUp?: number;
  /** Folder for CPU profiles of HQ; none are taken without. */
  readonly profileDir?: string;
};

const STEPS = [1000, 3000, 5000, 6000, 7000, 8000];
const BASELINE_STEPS = [500, 1000, 2000, 3000, 4000];
const MAX_P99_MS = 250;

type Load = 'holdfast' | 'baseline';
type Step = {
  readonly agents: number;
  readonly p50: number;
  readonly p99: number;
  readonly acked: number;
  readonly sent: number;
  /** Shares of one core. */
  readonly hqCpu: number;
  readonly loadCpu: number;
  readonly hqMb: number;
};

const measuredSchema = z.object({ p50: z.number(), p99: z.number(), acked: z.number(), sent: z.number() });

async function startReceiver(workshop: Workshop, load: Load, profileDir: string | undefined) {
  if (load === 'holdfast') {
    const nodeFlags = profileDir === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileDir];
    return startHq(workshop, { args: ['--log-level', 'warn'], nodeFlags });
  }
  const running = workshop.node([join(import.meta.dirname, 'baseline-hq-child.ts'), workshop.folder()]);
  return { ...running, url: String((await eventOf(running, 'listening')).url) };
}

/** A fresh HQ and a fresh load for each step. */
async function measure(load: Load, agents: number, options: FanInOptions): Promise<Step> {
  const { seconds = 10, warmUp = 3, profileDir } = options;
  return inWorkshop(async (workshop) => {
    const hq: Running & { url: string } = await startReceiver(workshop, load, profileDir);
    const script = join(import.meta.dirname, 'fan-in-load-child.ts');
    const generator = workshop.node([script, load, hq.url, ...[agents, seconds, warmUp].map(String)]);
    await eventOf(generator, 'warm');
    const before = { hq: cpuSeconds(hq.pid), load: cpuSeconds(generator.pid) };
    await eventOf(generator, 'sent');
    const after = { hq: cpuSeconds(hq.pid), load: cpuSeconds(generator.pid) };
    const hqMb = residentMb(hq.pid, 'peak');
    const { p50, p99, acked, sent } = measuredSchema.parse(await eventOf(generator, 'measured'));
    const share = (from: number, to: number) => (to - from) / seconds;
    return {
      ...{ agents, p50, p99, acked, sent, hqMb },
      hqCpu: share(before.hq, after.hq),
      loadCpu: share(before.load, after.load),
    };
  });
}

async function ramp(load: Load, steps: readonly number[], options: FanInOptions): Promise<Step[]> {
  const done: Step[] = [];
  for (const agents of steps) {
    const step = await measure(load, agents, options);
    done.push(step);
    if (step.p99 > MAX_P99_MS) break;
  }
  return done;
}

function rowsOf(name: string, steps: readonly Step[]): BenchRow[] {
  const good = steps.filter(({ p99 }) => p99 <= MAX_P99_MS).map(({ agents }) => agents);
  return [
    ...steps.flatMap(({ agents, p50, p99, hqCpu, loadCpu, hqMb }) => {
      const row = (what: string, value: number, unit: string) => ({
        name: `${name}, ${agents} agents: ${what}`,
        value: rounded(value),
        unit,
      });
      return [
        row('p50', p50, 'ms'),
        row('p99', p99, 'ms'),
        row('CPU of HQ', hqCpu * 100, '% of a core'),
        row('CPU of the load', loadCpu * 100, '% of a core'),
        row('peak RSS of HQ', hqMb, 'MB'),
      ];
    }),
    { name: `${name}: most agents with p99 ≤ ${MAX_P99_MS} ms`, value: Math.max(0, ...good), unit: 'agents' },
  ];
}

/** Tries from the highest step that was good enough down to the first that holds. */
async function hold(load: Load, steps: readonly Step[], options: FanInOptions): Promise<Step[]> {
  const { holdSeconds = 100 } = options;
  const done: Step[] = [];
  if (holdSeconds === 0) return done;
  for (const { agents } of steps.filter(({ p99 }) => p99 <= MAX_P99_MS).reverse()) {
    const step = await measure(load, agents, { ...options, seconds: holdSeconds });
    done.push(step);
    if (step.p99 <= MAX_P99_MS) break;
  }
  return done;
}

/** Takes about six minutes. Needs the build in dist/ and enough file descriptors (`ulimit -n`). */
export async function benchFanIn(options: FanInOptions = {}): Promise<BenchResult> {
  const holdfast = await ramp('holdfast', options.steps ?? STEPS, options);
  const held = await hold('holdfast', holdfast, options);
  const baseline = await ramp('baseline', options.baselineSteps ?? BASELINE_STEPS, options);
  return {
    title: 'fan-in: agents that send one sample of 17 metrics a second each',
    rows: [
      ...rowsOf('holdfast', holdfast),
      ...(held.length > 0 ? rowsOf('holdfast, held', held) : []),
      ...rowsOf('HTTP + SQLite', baseline),
    ],
  };
}

if (import.meta.main) {
  const value = (flag: string) => {
    const at = process.argv.indexOf(flag);
    return at < 0 ? undefined : process.argv[at + 1];
  };
  const profileDir = value('--prof');
  const steps = value('--steps')?.split(',').map(Number);
  print([
    await benchFanIn({
      ...(profileDir === undefined ? {} : { profileDir }),
      ...(steps === undefined ? {} : { steps, baselineSteps: [] }),
    }),
  ]);
}
