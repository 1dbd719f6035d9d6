import { describe, expect, it } from 'vitest';
import { findHead } from './head.ts';

const head = (lines: readonly string[], options = {}, isAll = true) =>
  findHead(lines.map((line) => `${line}\n`).join(''), isAll, options);

describe('the header of a CSV file', () => {
  it.each([
    ['at the top', [], 'timestamp,a'],
    ['behind titles', ['Plant 7', '', 'Exported 2026-03-09'], 'timestamp,a'],
    ['behind what Excel writes', ['sep=;'], 'time;a'],
    ['behind lines of names and values', ['date,2026-03-09', 'site,4'], 'Timestamp,a'],
    ['behind a title that begins like one', ['Time series, site 4'], 'time,a'],
    ['that names its unit', ['Time series of site 4'], 'time (s),a'],
  ])('is found %s', (_what, before, line) => {
    const found = head([...before, line, '1700000000,1', '1700000001,2']);
    expect(found?.lines).toBe(before.length);
    expect(found?.text.startsWith(`${line}\n`)).toBe(true);
    expect(found?.delimiter).toBe(line.includes(';') ? ';' : ',');
  });

  it('is the first line with anything in it where none looks like one', () => {
    expect(head(['', 'a,b', '1,2'])?.lines).toBe(1);
  });

  it('lies where it is said to', () => {
    expect(head(['time,x', 'time,y', '', 'when,a', '1,2'], { skip: 2 })).toMatchObject({ lines: 3 });
    expect(() => head(['time,x'], { skip: 4 })).toThrow('first 4 lines');
    expect(head(['time,x'], { skip: 4 }, false)).toBeNull();
  });

  it('is that of the time column that was named', () => {
    expect(head(['time,note', 'when,a', '1700000000,1'], { time: 'When' })?.lines).toBe(1);
  });

  it('is waited for while what there is does not look like one', () => {
    expect(head(['a title', 'another'], {}, false)).toBeNull();
    expect(head(['a title', 'another', 'time,a'], {}, false)?.lines).toBe(2);
    expect(() => head([])).toThrow('empty');
  });
});
