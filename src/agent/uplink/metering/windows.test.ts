import { describe, expect, it } from 'vitest';
import { isOpen, minutesUntilOpen, parseWindow, windowProblems } from './windows.ts';

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
/** `fri 23:30` */
function time(text: string) {
  const [day = '', clock = ''] = text.split(' ');
  const [hours = 0, minutes = 0] = clock.split(':').map(Number);
  return { weekday: DAYS.indexOf(day), minute: hours * 60 + minutes };
}

describe('windows', () => {
  it.each<[string, string[], string[]]>([
    ['22:00-06:00', ['mon 22:00', 'tue 05:59', 'sun 23:59', 'mon 00:00'], ['mon 21:59', 'tue 06:00']],
    ['mon-fri 22:00-06:00', ['mon 22:00', 'sat 05:59'], ['mon 05:59', 'sat 22:00', 'sun 23:00']],
    ['sat,sun 00:00-24:00', ['sat 00:00', 'sun 23:59'], ['fri 23:59', 'mon 00:00']],
    ['fri-mon 12:00-13:00', ['fri 12:00', 'sun 12:30', 'mon 12:59'], ['tue 12:00', 'fri 13:00']],
    ['Sun 23:00-01:00', ['sun 23:30', 'mon 00:30'], ['mon 01:00', 'sat 23:30']],
  ])('%s', (text, open, closed) => {
    const windows = [parseWindow(text)];
    expect(open.filter((one) => !isOpen(windows, time(one)))).toEqual([]);
    expect(closed.filter((one) => isOpen(windows, time(one)))).toEqual([]);
  });

  it('are always open where there are none', () => {
    expect(isOpen([], time('mon 12:00'))).toBe(true);
  });

  it('know when the next one opens, at the latest in a week', () => {
    const windows = [parseWindow('mon 12:00-13:00'), parseWindow('thu 01:00-02:00')];
    expect(minutesUntilOpen(windows, time('mon 12:30'))).toBe(0);
    expect(minutesUntilOpen(windows, time('wed 23:00'))).toBe(120);
    expect(minutesUntilOpen([parseWindow('mon 12:00-13:00')], time('mon 13:00'))).toBe(7 * 1440 - 60);
  });

  it('say what is wrong with them', () => {
    expect(
      windowProblems([
        'mon 22:00-06:00',
        '* 22 * * *',
        '25:00-26:00',
        '12:00-12:00',
        'mo 1:00-2:00',
        'mon-tue-wed 1:00-2:00',
      ]),
    ).toEqual([
      'uplink.windows has "* 22 * * *": expected hours such as 22:00-06:00 or mon-fri 22:00-06:00.',
      'uplink.windows has "25:00-26:00": there is no 25:00.',
      'uplink.windows has "12:00-12:00": it is empty; the whole day is 00:00-24:00.',
      'uplink.windows has "mo 1:00-2:00": there is no day "mo"; days are mon tue wed thu fri sat sun.',
      'uplink.windows has "mon-tue-wed 1:00-2:00": mon-tue-wed is no range of days.',
    ]);
  });
});
