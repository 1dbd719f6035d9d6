/** Runs worlds, a share of them in each process, shrinks what fails, and sums up. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { NO_FAULTS, type SimulationRequest, UsageError } from './arguments.ts';
import { describeFault } from './faults/plan.ts';
import { digestOf } from './kernel/trace.ts';
import { NODE_OPTIONS } from './node-options.ts';
import { shrink } from './shrink.ts';
import { type RunResult, runWorld } from './world/run-world.ts';

/** What one seed gave, as it travels between processes. */
type SeedReport = {
  readonly seed: number;
  readonly digest: string;
  readonly simulatedMs: number;
  readonly steps: number;
  readonly samples: number;
  readonly thinned: number;
  readonly injected: RunResult['injected'];
  readonly failure: Failure | null;
};
type Failure = {
  readonly seed: number;
  readonly violations: RunResult['violations'];
  /** The fewest faults that still make it fail; those that were asked for, where they were. */
  readonly faults: readonly string[];
  readonly replay: string;
  readonly digest: string;
};
export type Summary = {
  readonly seeds: number;
  readonly fromSeed: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly simulatedHours: number;
  readonly samples: number;
  readonly thinned: number;
  readonly events: number;
  readonly seconds: number;
  /** Simulated time by real time. */
  readonly speed: number;
  /** Hash over the traces of all seeds. */
  readonly digest: string;
  readonly failures: readonly Failure[];
};

/** Prints as it goes; resolves with the exit code. */
export async function simulate(request: SimulationRequest): Promise<number> {
  if (request.trace) return traceOne(request);
  if (request.child) {
    for (let index = 0; index < request.seeds; index += 1) print(JSON.stringify(runSeed(request, index)));
    return 0;
  }
  const started = performance.now();
  const reports: SeedReport[] = [];
  const onReport = (report: SeedReport) => {
    reports.push(report);
    if (report.failure !== null) tell(request, report.failure);
    else if (!request.json && reports.length % 50 === 0) print(`${reports.length} of ${request.seeds} seeds`);
  };
  const isOver = () => request.untilFailure && reports.some(({ failure }) => failure !== null);
  if (request.jobs === 1 || request.seeds === 1 || request.untilFailure) {
    for (let index = 0; index < request.seeds && !isOver(); index += 1) onReport(runSeed(request, index));
  } else {
    const jobs = Math.min(request.jobs, request.seeds);
    const shares = Array.from({ length: jobs }, (_, job) => ({
      from: request.fromSeed + Math.floor((request.seeds * job) / jobs),
      to: request.fromSeed + Math.floor((request.seeds * (job + 1)) / jobs),
    }));
    await Promise.all(shares.map(({ from, to }) => runChild(request, from, to - from, onReport)));
  }
  const summary = sumUp(request, reports, (performance.now() - started) / 1000);
  print(request.json ? JSON.stringify(summary) : inWords(summary));
  return summary.failures.length === 0 ? 0 : 1;
}

function runSeed(request: SimulationRequest, index: number): SeedReport {
  const { hours, only, mutation, lateStore } = request;
  const seed = request.fromSeed + index;
  const result = play(request, seed);
  const { digest, simulatedMs, steps, samples, thinned, injected } = result;
  const report = { seed, digest, simulatedMs, steps, samples, thinned, injected };
  if (result.violations.length === 0) return { ...report, failure: null };
  // Who names faults wants to see what they do, all of them.
  const shrunk = request.untilFailure || only !== null ? result : shrink(result, { hours, lateStore });
  const kept = shrunk.faults.map((fault) => fault.index).join(',') || NO_FAULTS;
  const more = `${mutation === null ? '' : ` --mutation ${mutation}`}${lateStore ? ' --late-store' : ''}`;
  return {
    ...report,
    failure: {
      seed,
      violations: shrunk.violations,
      faults: shrunk.faults.map(describeFault),
      replay: `npm run simulate -- --seeds 1 --from-seed ${seed} --hours ${hours} --only ${kept}${more}`,
      digest: shrunk.digest,
    },
  };
}

/** Plays a seed with all of its faults, or with exactly those that were asked for. */
function play(request: SimulationRequest, seed: number, onLine?: (line: string) => void): RunResult {
  const { hours, only, lateStore } = request;
  const told = { lateStore, ...(onLine === undefined ? {} : { onLine }) };
  if (only === null) return runWorld({ seed, hours, ...told });
  const result = runWorld({ seed, hours, only, ...told });
  const missing = only.filter((one) => !result.faults.some(({ index }) => index === one));
  if (missing.length > 0) throw new UsageError(`--only: seed ${seed} has no fault ${missing.join(', ')}`);
  return result;
}

function traceOne(request: SimulationRequest): number {
  const result = play(request, request.fromSeed, print);
  print(`digest ${result.digest}`);
  return result.violations.length === 0 ? 0 : 1;
}

function runChild(
  { hours, mutation, lateStore }: SimulationRequest,
  fromSeed: number,
  seeds: number,
  onReport: (report: SeedReport) => void,
): Promise<void> {
  const args = ['--child', '--from-seed', fromSeed, '--seeds', seeds, '--hours', hours].map(String);
  if (mutation !== null) args.push('--mutation', mutation);
  if (lateStore) args.push('--late-store');
  const script = new URL('./main.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [...NODE_OPTIONS, script, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let seen = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    seen += 1;
    onReport(JSON.parse(line) as SeedReport);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0 && seen === seeds) resolve();
      else
        reject(new Error(`a simulation process ended (${code ?? signal}) after ${seen} of ${seeds} seeds`));
    });
  });
}

function sumUp(request: SimulationRequest, reports: readonly SeedReport[], seconds: number): Summary {
  const ordered = [...reports].sort((a, b) => a.seed - b.seed);
  const sum = (of: (report: SeedReport) => number) => reports.reduce((total, one) => total + of(one), 0);
  const faults: Record<string, number> = {};
  for (const { injected } of reports) {
    for (const [kind, count] of Object.entries(injected)) faults[kind] = (faults[kind] ?? 0) + count;
  }
  const simulatedHours = sum(({ simulatedMs }) => simulatedMs) / 3_600_000;
  return {
    seeds: reports.length,
    fromSeed: request.fromSeed,
    faults: Object.fromEntries(Object.entries(faults).sort(([a], [b]) => (a < b ? -1 : 1))),
    simulatedHours: rounded(simulatedHours),
    samples: sum(({ samples }) => samples),
    thinned: sum(({ thinned }) => thinned),
    events: sum(({ steps }) => steps),
    seconds: rounded(seconds),
    speed: Math.round((simulatedHours * 3600) / seconds),
    digest: digestOf(ordered.map(({ digest }) => digest)),
    failures: ordered.flatMap(({ failure }) => failure ?? []),
  };
}

function tell({ json }: SimulationRequest, failure: Failure): void {
  if (json) {
    print(JSON.stringify({ failure }));
    return;
  }
  const lines = failure.violations.map(
    ({ at, rule, detail }) => `  ${Math.round(at)} ms: ${rule}: ${detail}`,
  );
  print(
    [
      `seed ${failure.seed} FAILED`,
      ...lines,
      '  with',
      ...(failure.faults.length === 0 ? ['no fault at all'] : failure.faults).map((one) => `    ${one}`),
    ].join('\n'),
  );
  print(`  again: ${failure.replay}\n  trace ${failure.digest}`);
}

function inWords(summary: Summary): string {
  const { seeds, failures, simulatedHours, seconds, speed, faults, digest } = summary;
  const kinds = Object.entries(faults).map(([kind, count]) => `  ${kind} ${count}`);
  return [
    `${seeds} seeds, ${failures.length} failed; ${simulatedHours} simulated hours in ${seconds} s (${speed} times real time)`,
    'faults injected:',
    ...kinds,
    `trace ${digest}`,
  ].join('\n');
}

const rounded = (value: number): number => Math.round(value * 100) / 100;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
