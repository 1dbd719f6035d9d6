import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../../protocol/sample.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import type { Limits } from '../../sources/source.ts';
import { createDiagnose } from './diagnose.ts';
import { createEpisode } from './episode.ts';
import { limitsFor, patternMatches } from './limits.ts';

const schemaOf = (...names: string[]) =>
  internSchema({
    source: 's',
    boot: 'b',
    series: names.map((name) => ({ name, attributes: {}, unit: '' })),
  });

type Moment = {
  readonly value?: number | null;
  readonly ts?: number;
  readonly mono?: number;
  readonly bufferTrouble?: string;
};

/** Diagnostics of each moment of one series; a second passes between moments unless said otherwise. */
function judge(limits: Limits, moments: readonly Moment[], time: 'clock' | 'recorded' = 'clock') {
  const diagnose = createDiagnose({ clockJumpMs: 1000, time }, () => limits);
  const schema = schemaOf('a');
  return moments.map(({ value = 1, ts, mono, bufferTrouble }, index) =>
    diagnose.sample(schema, [value], {
      ts: ts ?? index * 1000,
      mono: mono ?? index * 1000,
      bufferTrouble: bufferTrouble ?? null,
    }),
  );
}
const codes = (found: readonly (readonly Diagnostic[])[]) =>
  found.map((diagnostics) => diagnostics.map(({ code }) => code).join(' '));
const values = (...all: (number | null)[]) => all.map((value) => ({ value }));

describe('rail_low and rail_high', () => {
  it('are reported once when the reading comes to the rail, and again after it has left it', () => {
    const found = judge({ railLow: 0.5 }, values(5, 0.5, 0.1, 5, 0.2, 5, 5, 5, 0));
    expect(codes(found)).toEqual(['', 'rail_low', '', '', '', '', '', '', 'rail_low']);
    expect(found[1]).toEqual([
      {
        code: 'rail_low',
        severity: 'critical',
        series: 0,
        detail: '0.5 is at or below the lower rail 0.5',
      },
    ]);
    expect(codes(judge({ railHigh: 99 }, values(5, 99, 100, 5)))).toEqual(['', 'rail_high', '', '']);
  });

  it('learn nothing from missing values', () => {
    expect(codes(judge({ railLow: 0 }, values(0, null, null, null, null, 0)))).toEqual([
      'rail_low',
      '',
      '',
      '',
      '',
      '',
    ]);
  });
});

describe('out_of_range', () => {
  it('is reported beyond either bound, and for what is no number', () => {
    expect(codes(judge({ min: 0, max: 1 }, values(0, 1, 1.1)))).toEqual(['', '', 'out_of_range']);
    expect(codes(judge({ min: 0 }, values(1, -1)))).toEqual(['', 'out_of_range']);
    expect(codes(judge({ max: 0 }, values(-1, Number.NaN)))).toEqual(['', 'out_of_range']);
  });
});

describe('stuck', () => {
  it('is reported when a value has not moved for long enough, and again after it moved', () => {
    const found = codes(judge({ stuckAfterMs: 2000 }, values(1, 2, 2, 2, 2, 3, 3, 3)));
    expect(found).toEqual(['', '', '', 'stuck', '', '', '', 'stuck']);
  });
});

describe('stale', () => {
  it('is reported when a series that had values has none for long enough', () => {
    const found = codes(judge({ staleAfterMs: 2000 }, values(null, null, null, 1, null, null, null, 1)));
    expect(found).toEqual(['', '', '', '', '', 'stale', '', '']);
  });
});

describe('clock_jump', () => {
  const moments = [
    { ts: 0, mono: 0 },
    { ts: 1000, mono: 1000 },
    { ts: 3_602_000, mono: 2000 },
    { ts: 3_603_000, mono: 3000 },
    { ts: 4000, mono: 4000 },
  ];

  it('is reported for every jump, forwards and back, and concerns the whole sample', () => {
    const found = judge({}, moments);
    expect(codes(found)).toEqual(['', '', 'clock_jump', '', 'clock_jump']);
    expect(found[2]?.[0]).toMatchObject({
      series: null,
      detail: 'the wall clock moved by +3600000 ms against the monotonic clock',
    });
  });

  it('is not reported for a clock that is disciplined gently', () => {
    const slewed = Array.from({ length: 10 }, (_, index) => ({
      ts: index * 3_600_000 + index * 1800,
      mono: index * 3_600_000,
    }));
    expect(codes(judge({}, slewed)).join('')).toBe('');
  });

  it('does not judge the times of a recording', () => {
    expect(codes(judge({}, moments, 'recorded')).join('')).toBe('');
  });
});

describe('buffer_degraded', () => {
  it('is reported once while the buffer is in trouble', () => {
    const trouble = { bufferTrouble: 'the journal is full' };
    const found = judge({}, [{}, trouble, trouble, {}, trouble]);
    expect(codes(found)).toEqual(['', 'buffer_degraded', '', '', 'buffer_degraded']);
    expect(found[1]?.[0]?.detail).toBe('the journal is full');
  });
});

describe('the table of rules', () => {
  it('keeps the episodes of a series when other series come and go', () => {
    const diagnose = createDiagnose({ clockJumpMs: 1000, time: 'recorded' }, () => ({ railLow: 0 }));
    const context = { ts: 0, mono: 0, bufferTrouble: null };
    expect(diagnose.sample(schemaOf('a'), [0], context)).toHaveLength(1);
    expect(diagnose.sample(schemaOf('b', 'a'), [5, 0], context)).toEqual([]);
    expect(diagnose.sample(schemaOf('b', 'a'), [-1, 0], context)).toMatchObject([{ series: 0 }]);
  });

  it('is silent without limits', () => {
    expect(codes(judge({}, values(0, Number.NaN, null, 1e308)))).toEqual(['', '', '', '']);
  });
});

describe('episodes', () => {
  it('end after so many judgements in a row to the contrary', () => {
    const begins = createEpisode(2);
    const judgements = [true, false, true, false, null, false, true];
    expect(judgements.map(begins)).toEqual([true, false, false, false, false, false, true]);
  });
});

describe('limits by pattern', () => {
  const rules = [
    { series: 'sim.sensor{sensor=1}', max: 5 },
    { series: 'sim.*', max: 7, railLow: 2 },
  ];

  it('take the first match and fill up from the defaults', () => {
    expect(limitsFor('sim.sensor{sensor=1}', rules, { min: 0, max: 100 })).toEqual({ min: 0, max: 5 });
    expect(limitsFor('sim.sensor{sensor=2}', rules, { min: 0 })).toEqual({ min: 0, max: 7, railLow: 2 });
    expect(limitsFor('other', rules, { min: 0 })).toEqual({ min: 0 });
  });

  it.each([
    ['a', 'a', true],
    ['a', 'ab', false],
    ['a*', 'abc', true],
    ['*', '', true],
    ['*c', 'abc', true],
    ['a*c', 'ac', true],
    ['aa*aa', 'aaa', false],
    ['a*b*c', 'a--b--c', true],
    ['a*b*c', 'a--c', false],
    ['a.c', 'abc', false],
  ])('%s on %s: %s', (pattern, text, expected) => {
    expect(patternMatches(pattern, text)).toBe(expected);
  });
});
