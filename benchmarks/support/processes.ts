/** Processes that a benchmark starts, and what the kernel says of them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

export const root = join(import.meta.dirname, '../..');
const MAIN = join(root, 'dist/bundle/main.js');
/** Kernel ticks of /proc/PID/stat a second; Linux has told user space 100 for ever. */
const TICKS_PER_SECOND = 100;
const DEADLINE_MS = 180_000;
const POLL_MS = 10;
const STOP_MS = 10_000;

export type Running = {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Lines of standard output and standard error so far. */
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** Ends it by SIGTERM, or SIGKILL when that takes long, and waits. */
  readonly stop: () => Promise<void>;
};

/** What a benchmark cleans up behind itself: folders and processes. */
export type Workshop = {
  readonly folder: () => string;
  /** Runs Node with these arguments. */
  readonly node: (args: readonly string[]) => Running;
  /** Runs the built `holdfast` with these arguments. */
  readonly holdfast: (args: readonly string[], nodeFlags?: readonly string[]) => Running;
};

/** Ends and removes what `work` started or made, however it ends. */
export async function inWorkshop<T>(work: (workshop: Workshop) => Promise<T>): Promise<T> {
  const processes: Running[] = [];
  const folders: string[] = [];
  const node = (args: readonly string[]) => {
    const running = start(args);
    processes.push(running);
    return running;
  };
  try {
    return await work({
      folder: () => {
        const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
        folders.push(folder);
        return folder;
      },
      node,
      holdfast: (args, nodeFlags = []) => {
        if (!existsSync(MAIN)) throw new Error('There is no build in dist/: run "npm run build" first.');
        // bin/holdfast.js prefers the sources of a checkout.
        const program = `const { main } = await import(${JSON.stringify(MAIN)}); await main(process.argv.slice(1));`;
        return node([...nodeFlags, '--input-type=module', '--eval', program, '--', ...args]);
      },
    });
  } finally {
    await Promise.all(processes.map((running) => running.stop()));
    for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function start(args: readonly string[]): Running {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_') && name !== 'NODE_OPTIONS'),
  );
  const child = spawn(process.execPath, [...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
  const { pid } = child;
  if (pid === undefined) throw new Error(`could not start node ${args.join(' ')}`);
  const stdout: string[] = [];
  const stderr: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => stdout.push(line));
  createInterface({ input: child.stderr }).on('line', (line) => stderr.push(line));
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => resolve());
  });
  return {
    pid,
    child,
    stdout,
    stderr,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(late);
    },
  };
}

/** Polls until `probe` gives something other than undefined. */
export async function until<T>(
  what: string,
  probe: () => T | undefined | Promise<T | undefined>,
  { deadlineMs = DEADLINE_MS, everyMs = POLL_MS } = {},
): Promise<T> {
  for (let waited = 0; waited < deadlineMs; waited += everyMs) {
    const value = await probe();
    if (value !== undefined) return value;
    await delay(everyMs);
  }
  throw new Error(`waited in vain for: ${what}`);
}

/** The first line of output that `pick` finds something in; fails when the process ends before. */
export function lineOf<T>(
  running: Running,
  what: string,
  pick: (line: string) => T | undefined,
  stream: 'stdout' | 'stderr' = 'stdout',
): Promise<T> {
  let seen = 0;
  return until(what, () => {
    for (; seen < running[stream].length; seen += 1) {
      const found = pick(running[stream][seen] ?? '');
      if (found !== undefined) return found;
    }
    if (running.child.exitCode === null) return undefined;
    throw new Error(`a process ended while waiting for ${what}:\n${running.stderr.slice(-20).join('\n')}`);
  });
}

/** The first line of output that is JSON with this `event`. */
export function eventOf(running: Running, event: string): Promise<Record<string, unknown>> {
  return lineOf(running, event, (line) => {
    if (!line.startsWith('{')) return undefined;
    const parsed: unknown = JSON.parse(line);
    return isRecord(parsed) && parsed.event === event ? parsed : undefined;
  });
}

/** Starts a built HQ in a folder of its own; resolves with its address once it listens. */
export async function startHq(
  workshop: Workshop,
  options: { readonly args?: readonly string[]; readonly nodeFlags?: readonly string[] } = {},
): Promise<Running & { readonly url: string }> {
  const place = ['--port', '0', '--data-dir', workshop.folder(), '--limits-requests-per-minute', '1000000'];
  const running = workshop.holdfast(['hq', ...place, ...(options.args ?? [])], options.nodeFlags);
  return { ...running, url: String((await eventOf(running, 'listening')).url) };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Processor time that a process has used so far, user and system, seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name, in parentheses, may hold anything; fields count from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory of a process, now or at its highest, MB. */
export function residentMb(pid: number, which: 'now' | 'peak'): number {
  const field = which === 'now' ? 'VmRSS' : 'VmHWM';
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024) / 1e6;
}
