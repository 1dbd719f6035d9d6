import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/platform/random.ts';
import { type Backoff, type BackoffOptions, backoff } from '../../src/streams/index.ts';

const half = { next: () => 0.5 };

function delays(first: Backoff, count: number): number[] {
  const list: number[] = [];
  for (let step = first; list.length < count; step = step.next()) list.push(step.delayMs);
  return list;
}

describe('backoff', () => {
  const base = { initialMs: 100, maxMs: 1000 };

  it.each<[string, BackoffOptions, number[]]>([
    ['doubles up to its maximum', { ...base, jitter: 'none' }, [100, 200, 400, 800, 1000, 1000]],
    ['grows by its factor', { ...base, factor: 3, jitter: 'none' }, [100, 300, 900, 1000]],
    ['stays level with factor 1', { ...base, factor: 1, jitter: 'none' }, [100, 100, 100]],
    [
      'draws between 0 and the ceiling with full jitter',
      { ...base, jitter: 'full' },
      [50, 100, 200, 400, 500, 500],
    ],
    [
      'draws between the initial delay and thrice the last, decorrelated',
      { ...base, jitter: 'decorrelated' },
      [200, 350, 575, 913, 1000, 1000],
    ],
    ['may not wait at all', { initialMs: 0, maxMs: 0, jitter: 'none' }, [0, 0, 0]],
  ])('%s', (_name, options, expected) => {
    expect(delays(backoff(options, half), expected.length)).toEqual(expected);
  });

  it('stays within its bounds for ever, whatever the draw', () => {
    const random = seededRandom(5);
    for (const jitter of ['full', 'decorrelated'] as const) {
      const list = delays(backoff({ ...base, jitter }, random), 5000);
      expect(Math.max(...list)).toBeLessThanOrEqual(1000);
      expect(Math.min(...list)).toBeGreaterThanOrEqual(jitter === 'full' ? 0 : 100);
      expect(new Set(list).size).toBeGreaterThan(500);
    }
  });

  it('is a value: taking the next step leaves this one as it was', () => {
    const first = backoff({ ...base, jitter: 'full' }, seededRandom(1));
    const { delayMs } = first;
    first.next().next();
    expect(first.delayMs).toBe(delayMs);
    expect(backoff({ ...base, jitter: 'full' }, seededRandom(1)).delayMs).toBe(delayMs);
  });

  it('refuses options that contradict each other', () => {
    expect(() => backoff({ initialMs: 5, maxMs: 4, jitter: 'none' }, half)).toThrow(/maxMs/);
    expect(() => backoff({ initialMs: -1, maxMs: 4, jitter: 'none' }, half)).toThrow(/initialMs/);
    expect(() => backoff({ ...base, factor: 0.5, jitter: 'none' }, half)).toThrow(/factor/);
  });
});
