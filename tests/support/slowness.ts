/**
 * How much slower than usual the machine is while a test runs: other jobs on its cores and its disk are not the
 * product's fault.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { percentile } from './percentile.ts';
import { temporaryFolder } from './temporary.ts';

const EVERY_MS = 200;
const BLOCK = new Uint8Array(4_096);
/** A durable write of a block and a timer's lateness, on a machine that two tests share: 95 of 100 are below, ms. */
const USUAL_MS = 40;

export type Slowness = {
  /** By what bounds of time are to be multiplied: 1 on a machine as fast as usual, never less. */
  readonly factor: () => number;
  readonly end: () => Promise<void>;
};

export async function watchSlowness(): Promise<Slowness> {
  const file = await open(join(temporaryFolder(), 'probe'), 'w');
  const probes: number[] = [];
  let ended = false;
  const probing = (async () => {
    while (!ended) {
      const began = performance.now();
      await file.write(BLOCK, 0, BLOCK.length, 0);
      await file.datasync();
      await delay(EVERY_MS);
      probes.push(performance.now() - began - EVERY_MS);
    }
    await file.close();
  })();
  const end = () => {
    ended = true;
    return probing;
  };
  onTestFinished(end);
  return { factor: () => Math.max(1, percentile(probes, 0.95) / USUAL_MS), end };
}
