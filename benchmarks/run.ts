/**
 * All benchmarks: `npm run bench`, which builds first. Figures stand alongside the baselines of the same run.
 *
 * `npm run bench -- --help` names the options. Nothing here passes or fails by a figure.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { VERSION } from '../src/platform/version.ts';
import { benchAgentFull } from './agent-full.ts';
import { benchAgentIdle } from './agent-idle.ts';
import { type BenchRequest, parseArguments, UsageError, usageOf } from './arguments.ts';
import { benchCodec } from './codec.ts';
import { benchDetection } from './detection.ts';
import { benchEndToEnd } from './end-to-end.ts';
import { benchFanIn } from './fan-in.ts';
import { benchJournal } from './journal.ts';
import { benchLinks, QUICK_LINKS } from './links.ts';
import { benchLiveLatency } from './live-latency.ts';
import type { BenchResult } from './result.ts';
import { print } from './support/print.ts';
import { root } from './support/processes.ts';

const EXIT_USAGE = 64;

const benchmarks: Readonly<Record<string, (quick: boolean) => Promise<BenchResult>>> = {
  codec: (quick) => benchCodec(quick ? { measureMs: 2 } : {}),
  journal: (quick) => benchJournal(quick ? { scale: 0.01 } : {}),
  'end-to-end': (quick) => benchEndToEnd(quick ? { samples: 4096, baselineSamples: 2000 } : {}),
  'live-latency': (quick) => benchLiveLatency(quick ? { seconds: 1, warmUp: 2, rounds: 1 } : {}),
  'fan-in': (quick) =>
    benchFanIn(quick ? { steps: [20], baselineSteps: [5], seconds: 1, warmUp: 1, holdSeconds: 0 } : {}),
  'agent-idle': (quick) => benchAgentIdle(quick ? { seconds: 1, settle: 0 } : {}),
  'agent-full': (quick) => benchAgentFull(quick ? { rows: 30_000 } : {}),
  detection: (quick) => benchDetection(quick ? { series: 2, values: 10_000 } : {}),
  links: (quick) => benchLinks(quick ? QUICK_LINKS : {}),
};

function machine() {
  const processors = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const [load = ''] = readFileSync('/proc/loadavg', 'utf8').split(' ');
  return {
    cores: processors.length,
    cpu: processors[0]?.model ?? 'unknown',
    memory,
    node: process.version,
    /** Of everything on the machine, in the minute before: at the number of cores or above, others were busy too. */
    loadBefore: Number(load),
  };
}

async function run({ only, json, quick, build }: BenchRequest): Promise<void> {
  if (build) {
    // Output goes to standard error: standard output may be read by a machine.
    execFileSync(process.execPath, [join(root, 'scripts/build.ts')], { stdio: ['ignore', 2, 2] });
  }
  const about = { version: VERSION, machine: machine() };
  if (!json) console.log(about);
  const results: (BenchResult & { readonly benchmark: string })[] = [];
  for (const name of only) {
    const result = await benchmarks[name]?.(quick);
    if (result === undefined) continue;
    results.push({ benchmark: name, ...result });
    if (!json) print([result]);
  }
  if (json) console.log(JSON.stringify({ ...about, results }));
}

const names = Object.keys(benchmarks);
try {
  const request = parseArguments(process.argv.slice(2), names);
  if (request === 'help') console.log(usageOf(names));
  else await run(request);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${usageOf(names)}`);
  process.exitCode = EXIT_USAGE;
}
