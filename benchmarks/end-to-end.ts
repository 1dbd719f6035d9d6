/**
 * How fast, and at what cost, an agent process delivers a backlog to an HQ process, until HQ holds all of it durably.
 * Baseline: an NDJSON file in gzipped HTTP POSTs into SQLite, also two processes (baseline-agent-child.ts,
 * baseline-hq-child.ts). Bytes are counted in runs of their own, through a proxy that would slow down the measured
 * ones.
 *
 *     npm run build && node benchmarks/end-to-end.ts [--prof DIR]
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { createSystemClock } from '../src/platform/clock.ts';
import { type BenchResult, type BenchRow, rounded } from './result.ts';
import { backlogSamples, prepareJournal } from './support/prepare-journal.ts';
import { print } from './support/print.ts';
import {
  cpuSeconds,
  eventOf,
  inWorkshop,
  isRecord,
  lineOf,
  type Running,
  residentMb,
  startHq,
  until,
  type Workshop,
} from './support/processes.ts';

export type EndToEndOptions = {
  /** Pending samples of the agent. Default 1,000,000. */
  readonly samples?: number;
  /** Samples of the baseline, which takes longer for each. Default 200,000. */
  readonly baselineSamples?: number;
  /** Folder for CPU profiles of agent and HQ; none are taken without. */
  readonly profileDir?: string;
};

const POLL_MS = 15;
const AGENT = 'bench';
const clock = createSystemClock();

type Side = { readonly cpu: number; readonly peakMb: number };
type Drained = {
  /** Samples a second from the first moment at which HQ held some until it held all. */
  readonly rate: number;
  /** The same from when HQ knew the agent. */
  readonly fromConnect: number;
  readonly agent: Side;
  readonly hq: Side;
};

const ledgerSchema = z.object({
  items: z.array(z.object({ epoch: z.string(), stored: z.number(), contiguous: z.number() })),
});

type Progress = { readonly stored: number; readonly contiguous: number };

/** Watches until all is stored; the processes are looked at from the moment of `connected` on. */
async function watch(
  total: number,
  parties: { readonly agent: Running; readonly hq: Running },
  progress: () => Promise<Progress | undefined>,
): Promise<Drained> {
  const before = { agent: cpuSeconds(parties.agent.pid), hq: cpuSeconds(parties.hq.pid) };
  const connectedAt = clock.precise();
  const look = async () => {
    const seen = await progress();
    return seen === undefined || seen.stored === 0 ? undefined : { at: clock.precise(), ...seen };
  };
  const first = await until('the first stored sample', look, { everyMs: POLL_MS });
  const last = await until(
    'all samples to be stored',
    async () => {
      const seen = await look();
      return seen !== undefined && seen.contiguous >= total ? seen : undefined;
    },
    { everyMs: POLL_MS },
  );
  const side = ({ pid }: Running, cpuBefore: number): Side => ({
    cpu: cpuSeconds(pid) - cpuBefore,
    peakMb: residentMb(pid, 'peak'),
  });
  const fromConnect = (total * 1000) / (last.at - connectedAt);
  return {
    // What was there at the first look is not counted, as its beginning was not seen.
    rate: first.stored < total ? ((total - first.stored) * 1000) / (last.at - first.at) : fromConnect,
    fromConnect,
    agent: side(parties.agent, before.agent),
    hq: side(parties.hq, before.hq),
  };
}

async function runHoldfast(
  workshop: Workshop,
  total: number,
  options: { readonly profileDir?: string | undefined; readonly counted: boolean },
): Promise<{ readonly drained: Drained; readonly bytes: number }> {
  const directory = workshop.folder();
  const epoch = await prepareJournal(directory, total);
  const nodeFlags =
    options.profileDir === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', options.profileDir];
  const hq = await startHq(workshop, { nodeFlags });
  const counter = options.counted ? await startCounter(workshop, hq.url) : undefined;
  const place = ['--hq', counter?.url ?? hq.url, '--id', AGENT, '--data-dir', directory];
  // A source is needed; this one samples once, on top of the backlog.
  const agent = workshop.holdfast(['agent', ...place, '--source', 'sim:hz=0.001,sensors=1'], nodeFlags);
  await lineOf(
    hq,
    'the agent to connect',
    (line) => line.includes('"agent connected"') || undefined,
    'stderr',
  );
  const drained = await watch(total, { agent, hq }, async () => {
    const response = await fetch(`${hq.url}/api/v1/agents/${AGENT}/ledger`);
    if (!response.ok) return undefined;
    return ledgerSchema.parse(await response.json()).items.find((entry) => entry.epoch === epoch);
  });
  const bytes = (await counter?.bytes()) ?? 0;
  await agent.stop();
  await hq.stop();
  return { drained, bytes };
}

async function runBaseline(
  workshop: Workshop,
  total: number,
  counted: boolean,
): Promise<{ readonly drained: Drained; readonly bytes: number }> {
  const directory = workshop.folder();
  const file = join(directory, 'pending.ndjson');
  writeFileSync(file, ndjson(total));
  const hq = workshop.node([join(import.meta.dirname, 'baseline-hq-child.ts'), workshop.folder()]);
  const url = String((await eventOf(hq, 'listening')).url);
  const counter = counted ? await startCounter(workshop, url) : undefined;
  const script = join(import.meta.dirname, 'baseline-agent-child.ts');
  const agent = workshop.node([script, 'drain', counter?.url ?? url, directory]);
  await eventOf(agent, 'ready');
  const drained = await watch(total, { agent, hq }, async () => {
    const seen: unknown = await (await fetch(`${url}/count`)).json();
    const stored = isRecord(seen) ? Number(seen.stored) : 0;
    return { stored, contiguous: stored };
  });
  const bytes = (await counter?.bytes()) ?? 0;
  await agent.stop();
  await hq.stop();
  return { drained, bytes };
}

function ndjson(total: number): string {
  const samples = backlogSamples();
  const lines = samples(0, total).map(({ schema, ts, values }, index) =>
    JSON.stringify({
      seq: index + 1,
      ts,
      ...Object.fromEntries(schema.series.map(({ name }, column) => [name, values[column]])),
    }),
  );
  return `${lines.join('\n')}\n`;
}

async function startCounter(workshop: Workshop, target: string) {
  const script = join(import.meta.dirname, 'counting-proxy-child.ts');
  const running = workshop.node([script, new URL(target).port]);
  const { port } = await eventOf(running, 'listening');
  return {
    url: `http://127.0.0.1:${port}`,
    /** Both ways, TCP and IP headers not included. */
    bytes: async () => {
      running.child.kill('SIGUSR2');
      const { up, down } = await eventOf(running, 'counted');
      return Number(up) + Number(down);
    },
  };
}

function rowsOf(name: string, { rate, fromConnect, agent, hq }: Drained): BenchRow[] {
  const row = (what: string, value: number, unit: string) => ({ name: `${name}: ${what}`, value, unit });
  return [
    row('drain, from the first stored sample', Math.round(rate), 'samples/s'),
    row('drain, from connecting', Math.round(fromConnect), 'samples/s'),
    row('CPU of the agent', rounded(agent.cpu), 's'),
    row('CPU of HQ', rounded(hq.cpu), 's'),
    row('peak RSS of the agent', Math.round(agent.peakMb), 'MB'),
    row('peak RSS of HQ', Math.round(hq.peakMb), 'MB'),
  ];
}

/** Takes about a minute. Needs the build in dist/. */
export async function benchEndToEnd(options: EndToEndOptions = {}): Promise<BenchResult> {
  const { samples = 1_000_000, baselineSamples = 200_000, profileDir } = options;
  return inWorkshop(async (workshop) => {
    const holdfast = await runHoldfast(workshop, samples, { profileDir, counted: false });
    const baseline = await runBaseline(workshop, baselineSamples, false);
    const counted = await runHoldfast(workshop, samples, { counted: true });
    const countedBaseline = await runBaseline(workshop, baselineSamples, true);
    const ratio = holdfast.drained.rate / baseline.drained.rate;
    return {
      title: `end to end: ${samples.toLocaleString('en')} pending samples of 17 metrics (baseline: ${baselineSamples.toLocaleString('en')})`,
      rows: [
        ...rowsOf('holdfast', holdfast.drained),
        {
          name: 'holdfast: on the wire, both ways',
          value: rounded(counted.bytes / samples),
          unit: 'B/sample',
        },
        ...rowsOf('NDJSON + HTTP + SQLite', baseline.drained),
        {
          name: 'NDJSON + HTTP + SQLite: on the wire, both ways',
          value: rounded(countedBaseline.bytes / baselineSamples),
          unit: 'B/sample',
        },
        { name: 'holdfast ÷ baseline, drain', value: rounded(ratio), unit: '×' },
      ],
    };
  });
}

if (import.meta.main) {
  const at = process.argv.indexOf('--prof');
  const profileDir = at < 0 ? undefined : process.argv[at + 1];
  print([await benchEndToEnd(profileDir === undefined ? {} : { profileDir })]);
}
