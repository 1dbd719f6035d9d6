import { describe, expect, it } from 'vitest';
import { acceptedRun, judgeRun, type Run } from './judge-run.ts';

const run = (number: number, instance: string, delivered = true): Run => ({ number, instance, delivered });
const hello = (instance: string, number: number, after: string | null, begun = 100) => ({
  instance,
  sampled: 100,
  run: { number, after, begun },
});
const HIGHEST = 100;

describe('a run', () => {
  it.each([
    ['the first of an epoch', null, hello('a', 1, null), 'follows'],
    ['the same process again', run(3, 'c'), hello('c', 3, 'b'), 'same'],
    ['the same process, which has noted its hello', run(3, 'c'), hello('c', 4, 'c'), 'same'],
    ['the next one', run(3, 'c'), hello('d', 4, 'c'), 'follows'],
    ['the next one after one that never noted its hello', run(3, 'c', false), hello('d', 3, 'b'), 'follows'],
    ['a copy from before a run that delivered', run(3, 'c'), hello('x', 3, 'b'), 'fork'],
    ['a copy from long before', run(7, 'g'), hello('x', 3, 'b'), 'fork'],
    ['a copy that was accepted as often as the original', run(3, 'c'), hello('x', 4, 'y'), 'fork'],
    ['an original whose copy delivered meanwhile', run(4, 'copy'), hello('e', 4, 'c'), 'fork'],
    ['an agent that is ahead of an HQ restored from a backup', run(2, 'b'), hello('f', 6, 'e'), 'follows'],
    ['a machine that went back within its last run', run(3, 'c'), hello('d', 4, 'c', 99), 'fork'],
    ['the same process, whatever it began with', run(3, 'c'), hello('c', 4, 'c', 0), 'same'],
    ['a ledger that was lost', run(3, 'c'), hello('d', 1, null), 'fork'],
    ['the same process, at an HQ restored from before it', run(2, 'b'), hello('f', 7, 'f'), 'follows'],
    ['the same process, at an HQ restored to the run before', run(5, 'e'), hello('f', 7, 'f'), 'follows'],
    ['the same process, at an HQ that has accepted a copy since', run(6, 'copy'), hello('f', 7, 'f'), 'fork'],
    ['the same process, at such an HQ where the copy delivered', run(2, 'b'), hello('f', 7, 'f', 99), 'fork'],
    ['the same process, at an HQ that kept no runs before', null, hello('f', 7, 'f', 99), 'follows'],
    ['an earlier state, at an HQ that kept no runs before', null, hello('g', 7, 'f', 99), 'fork'],
    [
      'an agent that says nothing of runs',
      run(3, 'c'),
      { instance: 'd', sampled: 100, run: undefined },
      'follows',
    ],
  ] as const)('%s: %s', (_, known, said, verdict) => {
    expect(judgeRun({ run: known, highest: HIGHEST, sampled: HIGHEST }, said)).toBe(verdict);
  });

  it('keeps its number when it connects again, so that the next one follows it', () => {
    const said = hello('f', 7, 'f');
    expect(acceptedRun(said)).toEqual({ number: 6, instance: 'f' });
    expect(acceptedRun(hello('f', 6, 'e'))).toEqual({ number: 6, instance: 'f' });
    expect(acceptedRun({ instance: 'f', run: undefined })).toBeNull();
    const known = { number: 6, instance: 'f', delivered: true };
    expect(judgeRun({ run: known, highest: HIGHEST, sampled: HIGHEST }, hello('g', 7, 'f'))).toBe('follows');
  });

  it('is a copy when it has fewer samples than HQ was told of, although none of them was delivered', () => {
    const known = { run: run(3, 'c'), highest: 50, sampled: 101 };
    expect(judgeRun(known, hello('d', 4, 'c'))).toBe('fork');
    expect(judgeRun({ ...known, sampled: 100 }, hello('d', 4, 'c'))).toBe('follows');
    const later = { ...hello('d', 4, 'c'), sampled: 500 };
    expect(judgeRun(known, later), 'not when it began').toBe('fork');
    const unnoted = { ...known, run: run(4, 'x', false), sampled: 300 };
    expect(judgeRun(unnoted, later), 'told by one that never noted its hello').toBe('follows');
    expect(judgeRun(known, hello('c', 4, 'c')), 'the same process: an answer came late').toBe('same');
  });
});
