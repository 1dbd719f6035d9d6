/**
 * How long from taking a sample until HQ holds it durably, on loopback, at 10 Hz with a commit for each sample. The tap
 * between the two sees HQ's ack pass by, on the same machine's clock: the figures include the tap, and a millisecond of
 * rounding. Baseline: the simple agent of baseline-agent-child.ts, which appends to a file and POSTs each sample by
 * itself.
 *
 *     npm run build && node benchmarks/live-latency.ts
 */
import { join } from 'node:path';
import { z } from 'zod';
import { type BenchResult, type BenchRow, quantile, rounded } from './result.ts';
import { print } from './support/print.ts';
import { eventOf, inWorkshop, startHq, until, type Workshop } from './support/processes.ts';
import { startTap } from './support/tap.ts';

export type LiveLatencyOptions = {
  /** How long to measure in each round. Default 15. */
  readonly seconds?: number;
  /** Holdfast and the baseline take turns, so that a disk that others use too slows both alike. Default 3. */
  readonly rounds?: number;
  /** Samples at the start that do not count: connecting, schemas, cold code. Default 50. */
  readonly warmUp?: number;
};

const HZ = 10;

function rowsOf(name: string, ages: readonly number[]): BenchRow[] {
  const row = (what: string, value: number) => ({
    name: `${name}: ${what}`,
    value: rounded(value),
    unit: 'ms',
  });
  return [row('p50', quantile(ages, 0.5)), row('p99', quantile(ages, 0.99)), row('most', Math.max(...ages))];
}

async function runHoldfast(workshop: Workshop, count: number): Promise<readonly number[]> {
  const hq = await startHq(workshop);
  const tap = await startTap(Number(new URL(hq.url).port));
  try {
    const place = ['--hq', tap.url, '--id', 'bench', '--data-dir', workshop.folder()];
    const agent = workshop.holdfast([
      ...['agent', ...place, '--journal-commit-ms', '0'],
      ...['--source', `sim:hz=${HZ},sensors=17`],
    ]);
    await until(`${count} acks`, () => (tap.ages.length >= count ? true : undefined));
    await agent.stop();
    await hq.stop();
  } finally {
    tap.close();
  }
  return tap.ages.slice(0, count);
}

async function runBaseline(workshop: Workshop, seconds: number): Promise<readonly number[]> {
  const hq = workshop.node([join(import.meta.dirname, 'baseline-hq-child.ts'), workshop.folder()]);
  const url = String((await eventOf(hq, 'listening')).url);
  const script = join(import.meta.dirname, 'baseline-agent-child.ts');
  const agent = workshop.node([script, 'live', url, workshop.folder(), String(seconds)]);
  return z.object({ latencies: z.array(z.number()) }).parse(await eventOf(agent, 'measured')).latencies;
}

/** Takes about two minutes. Needs the build in dist/. */
export async function benchLiveLatency(options: LiveLatencyOptions = {}): Promise<BenchResult> {
  const { seconds = 15, rounds = 3, warmUp = 50 } = options;
  const count = warmUp + seconds * HZ;
  const holdfast: number[] = [];
  const baseline: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await inWorkshop(async (workshop) => {
      holdfast.push(...(await runHoldfast(workshop, count)).slice(warmUp));
      baseline.push(...(await runBaseline(workshop, count / HZ)).slice(warmUp));
    });
  }
  return {
    title: `live latency: sample taken → durable at HQ, ${HZ} Hz, 17 metrics, commitMs 0, ${holdfast.length} samples`,
    rows: [...rowsOf('holdfast', holdfast), ...rowsOf('file + HTTP + SQLite', baseline)],
  };
}

if (import.meta.main) print([await benchLiveLatency()]);
