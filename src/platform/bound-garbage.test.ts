import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

const module = new URL('./bound-garbage.ts', import.meta.url).href;

/** How often all of the heap is collected while what is alive grows to 400 MB. */
function fullCollections(before: string): number {
  const program = `
    import { PerformanceObserver } from 'node:perf_hooks';
    ${before}
    let full = 0;
    new PerformanceObserver((list) => {
      full += list.getEntries().filter(({ detail }) => detail.kind === 4).length;
    }).observe({ entryTypes: ['gc'] });
    const alive = [];
    const pause = () => new Promise((resolve) => setImmediate(resolve));
    while (process.memoryUsage().heapUsed < 400e6) {
      for (let index = 0; index < 10_000; index += 1) alive.push({ index, list: [index] });
      await pause();
    }
    await pause();
    console.log(full, typeof gc);`;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program]).toString();
  const [full, gc] = output.trim().split(' ');
  expect(gc).toBe('undefined');
  return Number(full);
}

it('has the heap collected each time it has grown by half', () => {
  // From 5 MB to 400 MB are ten times a half; V8 counts what is new on top.
  expect(
    fullCollections(`const { boundGarbage } = await import('${module}'); boundGarbage();`),
  ).toBeGreaterThan(4);
}, 60_000);
