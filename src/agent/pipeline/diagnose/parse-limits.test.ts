import { describe, expect, it } from 'vitest';
import { limitsProblems, parseLimits } from './parse-limits.ts';

describe('limits as settings', () => {
  it('reads a pattern and its numbers', () => {
    expect(parseLimits('sim.sensor*:min=-1.5,max=1e2,railHigh=100,stuckAfterMs=60000')).toEqual({
      series: 'sim.sensor*',
      min: -1.5,
      max: 100,
      railHigh: 100,
      stuckAfterMs: 60_000,
    });
  });

  it('takes patterns with colons and attributes', () => {
    expect(parseLimits('hw.temperature{id=a:b,zone=1}:max=80').series).toBe('hw.temperature{id=a:b,zone=1}');
  });

  it.each([
    ['no limits at all', 'a', 'expected SERIES:key=number'],
    ['nothing behind the colon', 'a:', 'expected SERIES:key=number'],
    ['no series', ':min=1', 'expected SERIES:key=number'],
    ['a mistyped key', 'a:railhigh=1', 'did you mean `railHigh`?'],
    ['text for a number', 'a:min=low', 'min must be a number'],
    ['no number', 'a:min', 'min must be a number'],
    ['a number out of bounds', 'a:stuckAfterMs=0', 'stuckAfterMs'],
  ])('explains: %s', (_what, text, problem) => {
    expect(limitsProblems(['ok:min=1', text])).toEqual([expect.stringContaining(problem)]);
  });
});
