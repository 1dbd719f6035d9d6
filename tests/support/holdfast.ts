/** Real `holdfast` processes for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inject, onTestFinished } from 'vitest';

export const root = join(import.meta.dirname, '../..');
/** The Node that the project pins, whatever runs the tests. */
export const node = join(root, 'node_modules/.bin/node');

export type Running = {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Lines so far. */
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** Resolves with the exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** Sends a signal and waits for the end. */
  readonly end: (signal: NodeJS.Signals) => Promise<number | string>;
};

export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the sources by `bin/holdfast.js`. */
  readonly entry?: readonly string[];
  /** A program of its own instead: it is run without an entry. */
  readonly command?: string;
  readonly cwd?: string;
  /** Standard error goes to the end of this file, and is not kept as lines. */
  readonly logTo?: string;
};

/** Runs the sources as a bundle (bundle.ts), which starts in half of the time; `published` runs what people install. */
export const built: RunOptions = {
  get entry() {
    return [inject('bundle')];
  },
};

/** Starts a command; it is killed at the end of the test when it still runs. */
export function run(args: readonly string[], options: RunOptions = {}): Running {
  const log = options.logTo === undefined ? null : openSync(options.logTo, 'a');
  const entry = options.command === undefined ? (options.entry ?? [join(root, 'bin/holdfast.js')]) : [];
  const child = spawn(options.command ?? node, [...entry, ...args], {
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', log ?? 'pipe'],
    env: { ...cleanEnvironment(), ...options.env },
  });
  if (log !== null) closeSync(log);
  const stdout: string[] = [];
  const stderr: string[] = [];
  for (const [input, lines] of [
    [child.stdout, stdout],
    [child.stderr, stderr],
  ] as const) {
    if (input !== null) createInterface({ input }).on('line', (line) => lines.push(line));
  }
  const ended = new Promise<number | string>((resolve) => {
    child.on('close', (code, signal) => resolve(signal ?? code ?? 'unknown'));
  });
  const end = (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return ended;
  };
  onTestFinished(async () => {
    await end('SIGKILL');
  });
  if (child.pid === undefined) throw new Error('could not start a process');
  return { process: child, pid: child.pid, stdout, stderr, ended, end };
}

/** Runs a command to its end. */
export async function runToEnd(args: readonly string[], options: RunOptions = {}) {
  const running = run(args, options);
  const code = await running.ended;
  return { code, stdout: running.stdout.join('\n'), stderr: running.stderr.join('\n') };
}

/** What is set for the tests themselves; a compile cache takes 3 MB of each process. */
const OURS = ['NODE_OPTIONS', 'NODE_COMPILE_CACHE'];

function cleanEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('HOLDFAST_') && !OURS.includes(name),
  );
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid: number): number {
  return statusBytes(pid, 'VmRSS');
}

/** What is in memory without the pages of mapped files, which the kernel takes back at need: RssAnon. */
export function anonymousBytes(pid: number): number {
  return statusBytes(pid, 'RssAnon');
}

function statusBytes(pid: number, field: 'VmRSS' | 'RssAnon'): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? Number.NaN) * 1024;
}
