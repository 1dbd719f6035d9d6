/**
 * Makes a failing fault list shorter: leaves out ever smaller parts of it for as long as what is left still fails
 * (delta debugging, Zeller 1999).
 */
import type { Fault } from './faults/plan.ts';
import { type RunOptions, type RunResult, runWorld } from './world/run-world.ts';

export type Shrunk = Pick<RunResult, 'violations' | 'digest'> & { readonly faults: readonly Fault[] };

/** Runs at most: a seed that takes long is shrunk less. */
const MAX_RUNS = 60;

export function shrink(failed: RunResult, world: Pick<RunOptions, 'hours' | 'lateStore'>): Shrunk {
  let best: Shrunk = failed;
  let runs = 0;
  const attempt = (faults: readonly Fault[]): boolean => {
    if (runs >= MAX_RUNS) return false;
    runs += 1;
    const result = runWorld({ ...world, seed: failed.seed, only: faults.map(({ index }) => index) });
    if (result.violations.length === 0) return false;
    best = { violations: result.violations, digest: result.digest, faults };
    return true;
  };
  for (let parts = 2; best.faults.length > 0 && runs < MAX_RUNS; ) {
    const size = Math.max(1, Math.ceil(best.faults.length / parts));
    const smaller = chunks(best.faults, size).some((part) =>
      attempt(best.faults.filter((fault) => !part.includes(fault))),
    );
    if (smaller) parts = Math.max(2, parts - 1);
    else if (size === 1) break;
    else parts = Math.min(best.faults.length, parts * 2);
  }
  return best;
}

function chunks<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const parts: (readonly T[])[] = [];
  for (let start = 0; start < items.length; start += size) parts.push(items.slice(start, start + size));
  return parts;
}
