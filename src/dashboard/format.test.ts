import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatAge,
  formatBytes,
  formatClock,
  formatCount,
  formatDateTime,
  formatDay,
  formatDuration,
  formatExact,
  formatOffset,
  formatRate,
  formatShare,
  formatTick,
  formatUtc,
  formatValue,
  machineTime,
  NONE,
  significant,
  tickLabels,
  timeLabels,
} from './format.ts';

/** No-break spaces as plain ones, so that expectations can be read. */
const plain = (text: string): string => text.replaceAll('\u00a0', ' ');

describe('counts', () => {
  test.each([
    [0, '0'],
    [999, '999'],
    [99_999, '99,999'],
    [123_456, '123 k'],
    [1_234_567, '1.23 M'],
    [12_300_000_000, '12.3 G'],
  ])('%d is written %s', (value, text) => expect(plain(formatCount(value))).toBe(text));

  test.each([
    [0, '0 /s'],
    [9.96, '10 /s'],
    [0.25, '0.3 /s'],
    [250_000, '250 k /s'],
  ])('a rate of %d is written %s', (value, text) => expect(plain(formatRate(value))).toBe(text));

  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.977 KiB'],
    [1024, '1 KiB'],
    [1_572_864, '1.5 MiB'],
    [5 * 1024 ** 3, '5 GiB'],
  ])('%d bytes are written %s', (value, text) => expect(plain(formatBytes(value))).toBe(text));
});

test('the ticks of one axis are written in one unit, that of the highest', () => {
  const ticks = [0, 512, 1024, 1536];
  expect(ticks.map((tick) => plain(formatTick(tick, 'By/s', 'net', { top: 1536 })))).toEqual([
    '0 KiB/s',
    '0.5 KiB/s',
    '1 KiB/s',
    '1.5 KiB/s',
  ]);
  expect(plain(formatTick(500, 'By', 'x', { top: 900 }))).toBe('500 B');
  expect(plain(formatTick(5, '{process}', 'x', { top: 900 }))).toBe('5');
});

describe('labels of an axis', () => {
  const labels = (ticks: readonly number[], unit: string, name = 'x') =>
    tickLabels(ticks, (value, at) => formatTick(value, unit, name, at)).map(plain);

  test.each([
    [[1000, 1000.5, 1001], '', ['1000', '1000.5', '1001']],
    [[123_400, 123_450, 123_500], '', ['123.4 k', '123.45 k', '123.5 k']],
    [[0, 0.5, 1], '', ['0', '0.5', '1']],
    [[5_000_000_000, 5_000_262_144], 'By', ['4.6566 GiB', '4.6569 GiB']],
    [[615_600, 615_650], 's', ['7 d 3 h', '7 d 3 h 50 s']],
    [[0.9991, 0.9992], '1', ['99.91 %', '99.92 %']],
  ])('of %j in %s have the digits that tell them apart', (ticks, unit, texts) => {
    expect(labels(ticks, unit, unit === '1' ? 'system.cpu.utilization' : 'x')).toEqual(texts);
  });

  test('are never read twice, whatever the ticks', () => {
    const ticks = fc
      .tuple(
        fc.double({ noNaN: true }),
        fc.double({ min: 1e-9, max: 1e9, noNaN: true }),
        fc.integer({ min: 2, max: 9 }),
      )
      .map(([first, apart, count]) => Array.from({ length: count }, (_, index) => first + index * apart));
    fc.assert(
      fc.property(
        ticks,
        fc.constantFrom('', 'By', 'By/s', 's', 's/s', 'ms', '1', '{process}'),
        (values, unit) => {
          const shown = labels(values, unit).filter((label) => label !== '');
          expect(new Set(shown).size).toBe(shown.length);
        },
      ),
    );
  });

  test('of times name the day where it begins, or where a time comes again', () => {
    const day = new Date(2026, 2, 3).getTime();
    const hour = 3_600_000;
    expect(timeLabels([day - 12 * hour, day, day + 12 * hour], 12 * hour, day)).toEqual([
      '12:00',
      formatDay(day, day),
      `${formatDay(day, day)} 12:00`,
    ]);
    expect(timeLabels([day + hour, day + hour + 1_000], 1_000, day)).toEqual(['01:00:00', '01:00:01']);
  });
});

describe('durations', () => {
  test.each([
    [0, '0 ms'],
    [3.24, '3.2 ms'],
    [999.4, '999 ms'],
    [999.6, '1 s'],
    [12_420, '12.4 s'],
    [59_960, '1 min'],
    [250_000, '4 min 10 s'],
    [3_600_000, '1 h'],
    [183_600_000, '2 d 3 h'],
    [-3420, '−3.4 s'],
  ])('%d ms are written %s', (ms, text) => expect(plain(formatDuration(ms))).toBe(text));

  test('an offset carries its sign', () => {
    expect(plain(formatOffset(2.4))).toBe('+2.4 ms');
    expect(plain(formatOffset(-2.4))).toBe('−2.4 ms');
  });

  test('an age counts whole seconds, and a time ahead of the clock is now', () => {
    expect(plain(formatAge(4900))).toBe('4 s');
    expect(formatAge(999)).toBe('now');
    expect(formatAge(-5000)).toBe('now');
  });
});

describe('shares', () => {
  test('only a whole is written as 100 %', () => {
    expect(plain(formatShare(1))).toBe('100 %');
    expect(plain(formatShare(0.999_999_999))).toBe('99.99 %');
    expect(plain(formatShare(0))).toBe('0.00 %');
  });
});

describe('measured values', () => {
  test.each([
    [0.1234, '1', 'system.cpu.utilization', '12.3 %'],
    [1.5, '1', 'sim.score', '1.5'],
    [2048, 'By', 'system.memory.usage', '2 KiB'],
    [2048, 'By/s', 'system.network.io', '2 KiB/s'],
    [0.25, 's/s', 'system.disk.io_time', '25 %'],
    [3, '{operation}/s', 'system.disk.operations', '3 operation/s'],
    [90, 's', 'system.uptime', '1 min 30 s'],
    [312, '{process}', 'system.process.count', '312 process'],
    [21.456, 'Cel', 'sim.temperature', '21.46 °C'],
    [Number.POSITIVE_INFINITY, '', 'x', 'Infinity'],
  ])('%d of unit %s of %s is written %s', (value, unit, name, text) =>
    expect(plain(formatValue(value, unit, name))).toBe(text),
  );

  test('ticks leave out what is counted', () => {
    expect(plain(formatTick(312, '{process}', 'system.process.count'))).toBe('312');
    expect(plain(formatTick(0.5, '1', 'system.cpu.utilization'))).toBe('50 %');
  });

  test('very small and very large numbers keep their digits', () => {
    expect(significant(0.000_012_34)).toBe('1.23e-5');
    expect(significant(-0.5)).toBe('-0.5');
    expect(significant(123_456)).toBe('123,456');
  });
});

describe('times of another day', () => {
  const at = (year: number, day: number, hour = 12) => new Date(year, 2, day, hour).getTime();
  const now = at(2026, 3);

  test('have their year unless it is this one', () => {
    for (const format of [formatDateTime, formatDay]) {
      expect(format(at(2026, 1), now)).not.toContain('2026');
      for (const year of [2025, 1970, 2027]) expect(format(at(year, 3), now)).toContain(String(year));
    }
    expect(timeLabels([at(2025, 3, 0), at(2025, 4, 0)], 86_400_000, now)).toEqual([
      formatDay(at(2025, 3), now),
      formatDay(at(2025, 4), now),
    ]);
  });

  test('have their date unless it is today', () => {
    expect(formatClock(at(2026, 3, 1), now)).toBe('01:00:00');
    expect(formatClock(at(2026, 2, 1), now)).toBe(formatDateTime(at(2026, 2, 1), now));
    expect(formatClock(at(2025, 3), now)).toContain('2025');
  });
});

test('tooltips name the moment in UTC', () => {
  expect(formatUtc(1_735_689_600_123)).toBe('2025-01-01 00:00:00.123 UTC');
});

describe('whatever HQ says', () => {
  const times = [formatClock, formatDateTime, formatDay, formatUtc, machineTime];
  const numbers = [
    ...[formatAge, formatBytes, formatCount, formatDuration, formatExact],
    ...[formatOffset, formatRate, formatShare, significant],
  ];

  test('no number makes a formatter throw', () => {
    const any = fc.oneof(fc.double(), fc.constantFrom(2 ** 53 - 1, -(2 ** 53), 8.64e15 + 1, Number.NaN));
    fc.assert(
      fc.property(any, fc.string(), fc.string(), (value, unit, name) => {
        for (const format of times) for (const now of [value, 0, Number.NaN]) format(value, now);
        for (const format of numbers) expect(typeof format(value)).toBe('string');
        for (const known of [unit, 'By', 'By/s', 's', 's/s', 'ms', '1']) {
          formatValue(value, known, name);
          formatTick(value, known, name);
          tickLabels([value, value + 1, 0], (one, at) => formatTick(one, known, name, at));
        }
        timeLabels([value, value + 1], value, value);
      }),
    );
  });

  test('what is no time is shown as none', () => {
    expect(formatDateTime(2 ** 53 - 1, 0)).toBe(NONE);
    expect(formatClock(Number.NaN, 0)).toBe(NONE);
    expect(formatUtc(2 ** 53 - 1)).toBe('no time: 9007199254740991');
    expect(machineTime(-8.7e15)).toBeUndefined();
  });
});
