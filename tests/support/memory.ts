/** Resident memory of processes over time. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { anonymousBytes, residentBytes, root } from './holdfast.ts';

export const MB = 1e6;

export type MemoryPoint = {
  /** Since the watch began. */
  readonly seconds: number;
  /** VmRSS: all pages of the process that are in memory, pages of mapped files included. */
  readonly bytes: number;
  /** RssAnon: those that are not of a file. */
  readonly anonymous: number;
};

/** Looks at a process's memory from now on until the test or the process ends. */
export function watchMemory(pid: number, everyMs: number): readonly MemoryPoint[] {
  const points: MemoryPoint[] = [];
  const start = performance.now();
  const look = () => {
    try {
      const bytes = residentBytes(pid);
      const anonymous = anonymousBytes(pid);
      if (Number.isFinite(bytes))
        points.push({ seconds: (performance.now() - start) / 1000, bytes, anonymous });
    } catch {
      clearInterval(timer);
    }
  };
  const timer = setInterval(look, everyMs);
  onTestFinished(() => clearInterval(timer));
  look();
  return points;
}

export function highest(points: readonly MemoryPoint[]): number {
  return Math.max(...points.map(({ bytes }) => bytes));
}

export function lowest(points: readonly MemoryPoint[]): number {
  return Math.min(...points.map(({ bytes }) => bytes));
}

/** Bytes a second by which memory grows over all of `points`: the slope of the line that fits them best. */
export function growth(points: readonly MemoryPoint[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [middle, level] = [mean(points.map((one) => one.seconds)), mean(points.map((one) => one.bytes))];
  const covariance = mean(points.map((one) => (one.seconds - middle) * (one.bytes - level)));
  return covariance / mean(points.map((one) => (one.seconds - middle) ** 2));
}

/** Leaves figures in test-results/NAME.json, for people to read. */
export function keepFigures(name: string, figures: Readonly<Record<string, unknown>>): void {
  const folder = join(root, 'test-results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(figures, null, 2)}\n`);
}
