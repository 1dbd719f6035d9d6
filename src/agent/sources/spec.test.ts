import { describe, expect, it } from 'vitest';
import { createSystemClock } from '../../platform/clock.ts';
import { systemRandom } from '../../platform/random.ts';
import { createSources } from './registry.ts';
import { parseSourceSpec, readSource, SourceSpecError, sourceProblems } from './spec.ts';

const env = { clock: createSystemClock(), random: systemRandom, emit: () => {} };

describe('the text form of a source', () => {
  it('reads kind, options and flags', () => {
    expect(parseSourceSpec('host:every=1s')).toEqual({
      kind: 'host',
      every: 1000,
      root: '/',
      maxDevices: 64,
      perCore: false,
      pressure: false,
      tmpfs: false,
    });
    expect(parseSourceSpec('host')).toMatchObject({ kind: 'host', every: 1000 });
    expect(parseSourceSpec('sim:hz=10,sensors=4,seed=7')).toMatchObject({
      kind: 'sim',
      hz: 10,
      sensors: 4,
      seed: 7,
    });
    expect(parseSourceSpec('csv:path=FILE,speed=max,loop')).toMatchObject({
      kind: 'csv',
      path: 'FILE',
      speed: 'max',
      loop: true,
    });
    expect(parseSourceSpec('csv:path=FILE,speed=2.5x')).toMatchObject({ speed: 2.5, loop: false });
  });

  it.each([
    ['50ms', 50],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['250', 250],
  ])('reads the duration %s', (text, every) => {
    expect(parseSourceSpec(`host:every=${text}`)).toMatchObject({ every });
  });

  it('keeps colons and equals signs of values, and commas within quotes', () => {
    expect(parseSourceSpec('csv:path=C:\\logs\\a=b.csv')).toMatchObject({ path: 'C:\\logs\\a=b.csv' });
    expect(parseSourceSpec('csv:path="a, b.csv",loop')).toMatchObject({ path: 'a, b.csv', loop: true });
  });

  it.each([
    ['hots', 'unknown source `hots`; did you mean `host`?'],
    ['kafka', 'unknown source `kafka`; known: host, sim, csv'],
    ['sim:senors=3', 'unknown option `senors`; did you mean `sensors`?'],
    ['csv:path=x,sped=max', 'unknown option `sped`; did you mean `speed`?'],
    ['csv:/nope.csv', 'unknown option `/nope.csv`; did you mean `csv:path=/nope.csv`?'],
    ['csv', 'path: the path of the file is missing'],
    ['csv:path=x,timeFormat=HH:mm', 'expected s, ms, us, ns, excel, iso, or a pattern'],
    ['csv:path=x,zone=Mars', 'expected a time zone'],
    ['csv:path=x,loop,follow', 'exclude each other'],
    ['host:maxDevices=0', 'maxDevices'],
    ['csv:path=x,speed=fast', 'expected `max` or a factor'],
    ['sim:hz=0', 'hz: '],
    ['sim:hz=ten', 'hz: '],
    ['host:every=soon', 'expected a duration'],
    ['host:every=1ms', 'every: must be at least 50, not 1'],
    ['sim:hz=-1', 'hz: must be at least 0.001, not -1'],
    ['sim:hz=fast', 'hz: expected a number, got "fast"'],
    ['sim:sensors=1.5', 'sensors: must be a whole number, not 1.5'],
    ['sim:name=a b', 'name: must be letters, digits and . _ -, a letter or digit first, 64 at most'],
    ['sim:hz=1,hz=2', 'option `hz` is given twice'],
    ['csv:path="x', 'a double quote is not closed'],
    ['sim:=3', 'an option has no name'],
    ['sim:__proto__=3', 'unknown option `__proto__`'],
  ])('refuses `%s` and says why', (text, message) => {
    expect(() => parseSourceSpec(text)).toThrow(SourceSpecError);
    expect(() => parseSourceSpec(text)).toThrow(message);
  });
});

describe('the object form of a source', () => {
  it('comes to the same as the text', () => {
    expect(readSource({ kind: 'sim', hz: 5 })).toEqual(parseSourceSpec('sim:hz=5'));
    expect(readSource('sim:hz=5')).toEqual(parseSourceSpec('sim:hz=5'));
  });

  it.each([
    [{ kind: 'host', every: '1s' }, 'host:every=1s'],
    [{ kind: 'host', every: 1000, name: 'box' }, 'host:every=1s,name=box'],
    [{ kind: 'csv', path: 'a, b.csv', speed: 'max', loop: true }, 'csv:path="a, b.csv",speed=max,loop'],
  ])('reads %j', (given, text) => {
    expect(readSource(given)).toEqual(parseSourceSpec(text));
  });

  it.each([
    [
      { kind: 'sim', sensor: 5 },
      'source `{kind: sim, sensor: 5}`: unknown option `sensor`; did you mean `sensors`?',
    ],
    [{ kind: 'hots' }, 'unknown source `hots`; did you mean `host`?'],
    [{ kind: 'host', every: 'soon' }, 'source `{kind: host, every: soon}`: every: expected a duration'],
  ])('names what is wrong in %j', (given, problem) => {
    expect(sourceProblems([given])).toEqual([expect.stringContaining(problem)]);
  });

  it('may not take the name of another', () => {
    expect(sourceProblems(['sim:name=a', { kind: 'host', name: 'a' }])).toEqual([
      'source `{kind: host, name: a}`: another source is named `a` already',
    ]);
  });
});

describe('several sources', () => {
  const names = (...texts: string[]) =>
    createSources(texts.map(parseSourceSpec), env).map(({ name }) => name);

  it('get distinct names by their place', () => {
    expect(names('sim', 'host', 'sim', 'sim')).toEqual(['sim', 'host', 'sim-2', 'sim-3']);
  });

  it('leave names alone that others asked for', () => {
    expect(names('sim', 'sim:name=sim-2', 'sim', 'csv:path=x,name=boiler')).toEqual([
      'sim',
      'sim-2',
      'sim-3',
      'boiler',
    ]);
  });

  it('cannot share a name', () => {
    expect(() => names('sim:name=a', 'host:name=a')).toThrow('two sources are named `a`');
  });
});
