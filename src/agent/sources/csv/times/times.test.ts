import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WRITTEN_TIMES } from '../../../../protocol/testing/written-times.ts';
import {
  findTimes,
  isZone,
  namedTimes,
  type TimeOptions,
  timeAdvice,
  timeFormatProblem,
  unitInName,
} from './times.ts';

const FOUND: TimeOptions = { format: undefined, zone: undefined, decimal: '.' };
const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

/** The instant of a cell in a file that holds no other. */
function read(cell: string, options: Partial<TimeOptions> = {}): string | null {
  const all = { ...FOUND, ...options };
  const times = namedTimes(all) ?? findTimes([cell], null, all);
  return iso(times?.ofText(cell) ?? null);
}

describe('times that are found out', () => {
  it.each(WRITTEN_TIMES)('are those that every reader takes: %s is %s', (cell, expected) => {
    const times = namedTimes({ ...FOUND, format: 'iso' });
    expect(iso(times?.ofText(cell) ?? null)).toBe(expected);
  });

  it.each([
    ['1700000000', '2023-11-14T22:13:20.000Z'],
    ['1700000000.25', '2023-11-14T22:13:20.250Z'],
    ['1700000000123', '2023-11-14T22:13:20.123Z'],
    ['1700000000123456', '2023-11-14T22:13:20.123Z'],
    ['1700000000123456789', '2023-11-14T22:13:20.123Z'],
    ['1.7e9', '2023-11-14T22:13:20.000Z'],
    ['2026-03-09T12:00:00Z', '2026-03-09T12:00:00.000Z'],
    ['2026-03-09T12:00:00+01:00', '2026-03-09T11:00:00.000Z'],
    ['2026-03-09 12:00:00 -0330', '2026-03-09T15:30:00.000Z'],
    ['2026-03-09 12:00:00', '2026-03-09T12:00:00.000Z'],
    ['2026-03-09 9:59:58', '2026-03-09T09:59:58.000Z'],
    ['2026-03-09 12:00', '2026-03-09T12:00:00.000Z'],
    ['2026-03-09 12:00:00,5', '2026-03-09T12:00:00.500Z'],
    ['2026-03-09T12:00:00.123456789', '2026-03-09T12:00:00.123Z'],
    ['2026-03-09', '2026-03-09T00:00:00.000Z'],
    ['2026/03/09 12:00:00', '2026-03-09T12:00:00.000Z'],
    ['2026.3.9 12:00', '2026-03-09T12:00:00.000Z'],
    ['2026-03-09 1:05:00 PM', '2026-03-09T13:05:00.000Z'],
    ['2026-03-09 12:05 a.m.', '2026-03-09T00:05:00.000Z'],
    ['20260309T120000Z', '2026-03-09T12:00:00.000Z'],
    ['20260309120000', '2026-03-09T12:00:00.000Z'],
    ['Mon, 09 Mar 2026 12:00:00 GMT', '2026-03-09T12:00:00.000Z'],
    ['9-Mar-2026 12:00', '2026-03-09T12:00:00.000Z'],
    ['March 9, 2026 12:00:00', '2026-03-09T12:00:00.000Z'],
    ['Mon Mar  9 12:00:00 2026', '2026-03-09T12:00:00.000Z'],
    ['2024-02-29 00:00:00', '2024-02-29T00:00:00.000Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
    ['2026-03-09T24:00:00Z', '2026-03-10T00:00:00.000Z'],
  ])('%s is %s, on every machine', (cell, expected) => {
    const before = process.env.TZ;
    for (const zone of ['UTC', 'America/New_York', 'Asia/Kolkata']) {
      process.env.TZ = zone;
      expect(read(cell)).toBe(expected);
    }
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  });

  it.each([
    ...['', 'soon', 'Infinity', 'page 2', '2026-02-30 12:00:00', '2026-13-01', '2026-03-09 25:00:00'],
    ...['2026-03-09 24:00:01', '2026-03-09 12:00:60'],
    ...['2026-03-09 12:60', '2026-03-09 12:00 extra', '2026-3-9-1', '2025-02-29'],
    ...['2026-03/09', '2026-03-09 13:00 PM', '2026-03-09T12:00:00+25:00', 'Mon, 32 Mar 2026 12:00:00 GMT'],
  ])('`%s` is none', (cell) => {
    expect(read(cell)).toBeNull();
  });

  it.each(['11/03/2026 23:00:00', '12/12/2026', '11.03.2026 12:00', '11-03-2026', '11/03/26 12:00'])(
    '`%s` can be read in two ways and is refused with the option that settles it',
    (cell) => {
      expect(() => read(cell)).toThrow(/two ways.*timeFormat="dd.MM.yy(yy)?( HH:mm)?(:ss)?".*"MM.dd.yy/);
    },
  );

  it.each([
    [['11/03/2026 23:00:00'], '2026-03-11T23:00:00.000Z', '2026-11-03T23:00:00.000Z'],
    [['11/03/2026 9:05'], '2026-03-11T09:05:00.000Z', '2026-11-03T09:05:00.000Z'],
    [['11/03/2026', '1/3/2026'], '2026-03-11T00:00:00.000Z', '2026-11-03T00:00:00.000Z'],
    [['11.03.26, 12:00:00,25'], '2026-03-11T12:00:00.250Z', '2026-11-03T12:00:00.250Z'],
    [['11-3-2026T12:00:00.5+02:00'], '2026-03-11T10:00:00.500Z', '2026-11-03T10:00:00.500Z'],
    [
      ['11/03/2026 1:05:07 PM', '12/03/2026 11:00:00 am'],
      '2026-03-11T13:05:07.000Z',
      '2026-11-03T13:05:07.000Z',
    ],
  ])('%s are read by the patterns that are offered', (cells, dayFirst, monthFirst) => {
    const offered: string[] = [];
    try {
      findTimes(cells, null, FOUND);
    } catch (error) {
      for (const [, pattern = ''] of String(error).matchAll(/timeFormat="([^"]*)"/g)) offered.push(pattern);
    }
    expect(offered.map((format) => read(cells[0] ?? '', { format }))).toEqual([dayFirst, monthFirst]);
    for (const format of offered) {
      for (const cell of cells) expect(read(cell, { format })).not.toBeNull();
    }
  });

  it.each([
    [['13/03/2026'], /`13\/03\/2026` names its day before its month: .*timeFormat="dd\/MM\/yyyy"$/],
    [['11/03/2026 9:05', '31/03/2026 9:05'], /`31\/03.*day before its month.*"dd\/MM\/yyyy H:mm"$/],
    [['03.04.2026', '03.28.2026'], /`03.28.2026` names its month before its day.*"MM.dd.yyyy"$/],
    [
      ['13/03/2026', '03/13/2026'],
      /`13\/03\/2026` and `03\/13\/2026` do not name day and month in one order/,
    ],
  ])('%s are refused with what they tell themselves', (cells, message) => {
    expect(() => findTimes(cells, null, FOUND)).toThrow(message);
  });

  it.each(['2026-03-09 12:00:00 CET', '2026-03-09 12:00 EST', '2026-03-09T12:00:00.5PDT'])(
    '`%s` names a zone that can be several and is refused with what to do',
    (cell) => {
      expect(() => read(cell)).toThrow(/names mean several zones: .*\+01:00.*timeFormat=.*zone=/);
      expect(timeAdvice(cell)).toContain('zone=');
    },
  );

  it('are told to the ms that has begun', () => {
    const cells = [
      ...[
        '2026-03-09T12:00:00.999999999Z',
        '2026-03-09 12:00:00,9999',
        '1773057600.9999',
        '1773057600.999999',
      ],
      ...['1773057600999.9', '1773057600999999', '1773057600999999999'],
    ];
    for (const cell of cells) expect(read(cell)).toBe('2026-03-09T12:00:00.999Z');
    expect(read('1969-12-31T23:59:59.9999Z')).toBe('1969-12-31T23:59:59.999Z');
  });

  it('keep every ms, whatever their unit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1e11, max: 2.1e12 }), fc.nat(999), (ms, part) => {
        const us = String(part).padStart(3, '0');
        const seconds = `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}${us}`;
        const named = { s: seconds, ms: `${ms}.${us}`, us: `${ms}${us}`, ns: `${ms}${us}999` };
        for (const [format, cell] of Object.entries(named))
          expect(namedTimes({ ...FOUND, format })?.ofText(cell)).toBe(ms);
        const iso = new Date(ms).toISOString().replace('Z', `${us}Z`);
        expect(namedTimes({ ...FOUND, format: 'iso' })?.ofText(iso)).toBe(ms);
      }),
    );
  });

  it.each(['2026-03-09T12:00:00+15:00', '2026-03-09T12:00:00-13:00', '2026-03-09 12:00 +14:30'])(
    '`%s` is of a zone that no place has',
    (cell) => {
      expect(read(cell)).toBeNull();
      expect(timeAdvice(cell)).toContain('between -12:00 and +14:00');
    },
  );

  it.each(['46090.5', '0', '12', '20260309', '99999999', '20000000000', '-5'])(
    'the number `%s` says too little of what it counts and is refused',
    (cell) => {
      expect(() => read(cell)).toThrow('timeFormat=excel');
    },
  );

  it('without a date are refused with the option that names it', () => {
    expect(() => read('12:00:00')).toThrow('date=');
  });

  it('are of the form of the first row that shows it', () => {
    const times = findTimes(['page 1', '7', '1700000000'], null, FOUND);
    expect(['7', '1700000000', '1700000000123'].map((cell) => times?.ofText(cell))).toEqual([
      7000,
      1_700_000_000_000,
      null,
    ]);
    expect(times?.ofNumber(1_700_000_000.5)).toBe(1_700_000_000_500);
  });

  it('have the unit that the name of their column says', () => {
    const units = [
      'time (s)',
      'timestamp_ms',
      'time [us]',
      't µs',
      'Time-ns',
      'time/seconds',
      'times',
      'items',
    ];
    expect(units.map(unitInName)).toEqual(['s', 'ms', 'us', 'us', 'ns', 's', null, null]);
    expect(findTimes(['0.5', '1'], 's', FOUND)?.ofText('0.5')).toBe(500);
  });
});

describe('times that are named', () => {
  it.each([
    ['dd/MM/yyyy HH:mm:ss', '11/03/2026 23:00:00', '2026-03-11T23:00:00.000Z'],
    ['MM/dd/yyyy HH:mm:ss', '11/03/2026 23:00:00', '2026-11-03T23:00:00.000Z'],
    ['d.M.yy H:mm', '9.3.26 7:05', '2026-03-09T07:05:00.000Z'],
    ['yyyyMMdd', '20260309', '2026-03-09T00:00:00.000Z'],
    ['dd MMM yyyy hh:mm a', '09 Mar 2026 01:05 pm', '2026-03-09T13:05:00.000Z'],
    ["yyyy-MM-dd'T'HH:mm:ss.SSSXXX", '2026-03-09T12:00:00.250+02:00', '2026-03-09T10:00:00.250Z'],
    ['excel', '46090.5', '2026-03-09T12:00:00.000Z'],
    ['excel', '46090 0.5', '2026-03-09T12:00:00.000Z'],
    ['excel', '46090.50001157', '2026-03-09T12:00:01.000Z'],
    ['s', '12', '1970-01-01T00:00:12.000Z'],
    ['ms', '12', '1970-01-01T00:00:00.012Z'],
    ['us', '1500', '1970-01-01T00:00:00.001Z'],
    ['iso', '2026-03-09 12:00:00', '2026-03-09T12:00:00.000Z'],
  ])('by %s make of %s %s', (format, cell, expected) => {
    expect(read(cell, { format })).toBe(expected);
  });

  it.each([
    ['dd/MM/yyyy HH:mm:ss', '31/02/2026 23:00:00'],
    ['dd/MM/yyyy HH:mm:ss', '2026-03-09 12:00:00'],
    ['iso', '1700000000'],
    ['s', '2026-03-09'],
    ['excel', '1'],
    ['excel', '46090 0.5 1'],
    ['excel', '46090 noon'],
    ['s', '1700000000123'],
  ])('by %s take nothing else, such as %s', (format, cell) => {
    expect(read(cell, { format })).toBeNull();
  });

  it.each(['ISO', 'HH:mm', 'dd/MM', '', 'yyyy yyyy MM dd'])('are not named by `%s`', (format) => {
    expect(timeFormatProblem(format)).toContain('expected s, ms');
  });
});

describe('times of a zone', () => {
  it.each([
    ['Europe/Paris', '2026-01-15 12:00:00', '2026-01-15T11:00:00.000Z'],
    ['Europe/Paris', '2026-07-15 12:00:00', '2026-07-15T10:00:00.000Z'],
    ['America/New_York', '2026-03-09 12:00:00', '2026-03-09T16:00:00.000Z'],
    ['Asia/Kolkata', '2026-03-09 00:15:00', '2026-03-08T18:45:00.000Z'],
    ['+02:00', '2026-03-09 12:00:00', '2026-03-09T10:00:00.000Z'],
    // The clock is put forward at 2 and back at 3: a skipped hour, an hour shown twice.
    ['Europe/Paris', '2026-03-29 02:30:00', '2026-03-29T01:30:00.000Z'],
    ['Europe/Paris', '2026-03-29 01:59:59', '2026-03-29T00:59:59.000Z'],
    ['Europe/Paris', '2026-03-29 03:00:00', '2026-03-29T01:00:00.000Z'],
    ['Europe/Paris', '2026-10-25 02:30:00', '2026-10-25T00:30:00.000Z'],
    ['Europe/Paris', '2026-10-25 03:00:00', '2026-10-25T02:00:00.000Z'],
  ])('%s: %s is %s', (zone, cell, expected) => {
    expect(read(cell, { zone })).toBe(expected);
  });

  it.each(['+15:00', '-12:30', '+14:01'])('%s is none', (zone) => {
    expect(isZone(zone)).toBe(false);
  });

  it.each(['+14:00', '-12:00', 'Asia/Tokyo'])('%s is one', (zone) => {
    expect(isZone(zone)).toBe(true);
  });

  it('that name their own keep it', () => {
    expect(read('2026-03-09T12:00:00Z', { zone: 'Asia/Tokyo' })).toBe('2026-03-09T12:00:00.000Z');
  });

  it('move Excel dates too', () => {
    expect(read('46090.5', { format: 'excel', zone: '+01:00' })).toBe('2026-03-09T11:00:00.000Z');
  });
});
