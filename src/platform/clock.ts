/** The one place that reads time. Everything else is handed a Clock, so that a simulation can hand out another. */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { SchedulerLike } from 'rxjs';
import { createLongScheduler } from './long-delays.ts';

export type Clock = {
  /** Wall time, integer ms since the Unix epoch. May jump either way. */
  readonly now: () => number;
  /** Monotonic time, integer ms since the boot named by `bootId`. Never goes back within a boot. */
  readonly mono: () => number;
  /** Monotonic time in ms with fractions, for durations only; its zero is unspecified. */
  readonly precise: () => number;
  /** Processor time that this thread has used, ms. Absent: it cannot be told, and `precise` has to do. */
  readonly cpu?: () => number;
  /** Id of this boot of the machine. */
  readonly bootId: string;
  /** Timers, of any length. Its `now()` is monotonic, so a wall clock that jumps moves no timer. */
  readonly scheduler: SchedulerLike;
};

function readBoot(): { id: string; uptimeMs: number } | null {
  try {
    const id = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
    return id !== '' && Number.isFinite(uptimeMs) ? { id, uptimeMs } : null;
  } catch {
    return null;
  }
}

/** The machine's clock. Where the kernel tells no boot id, the process's own life counts as the boot. */
export function createSystemClock(): Clock {
  const boot = readBoot();
  const uptimeAtZero = (boot?.uptimeMs ?? performance.now()) - performance.now();
  const precise = () => performance.now();
  return {
    now: () => Date.now(),
    mono: () => Math.floor(uptimeAtZero + performance.now()),
    precise,
    cpu: () => {
      const { user, system } = process.threadCpuUsage();
      return (user + system) / 1000;
    },
    bootId: boot?.id ?? crypto.randomUUID(),
    scheduler: createLongScheduler(precise),
  };
}

/** Asking the kernel reads a file, which an agent that counts each message would do hundreds of times a minute. */
const UPTIME_KEPT_MS = 1_000;
let asked: { readonly uptime: number; readonly at: number } | null = null;

/**
 * Time since the machine started, ms; unlike `Clock.mono` it goes on while the machine sleeps. A sleep shows after a
 * second at most.
 */
export function machineUptime(): number {
  const at = performance.now();
  if (asked === null || at - asked.at >= UPTIME_KEPT_MS) asked = { uptime: uptime() * 1000, at };
  return asked.uptime + (at - asked.at);
}
