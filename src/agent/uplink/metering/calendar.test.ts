import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { createCalendar, isTimeZone } from './calendar.ts';

const at = (text: string) => Date.parse(text);
const iso = (ts: number) => new Date(ts).toISOString();

describe('a calendar', () => {
  it('has days and months of UTC', () => {
    const { day, month, weekTime } = createCalendar('UTC');
    const ts = at('2026-11-28T23:59:59.999Z');
    expect(day(ts)).toMatchObject({ key: '2026-11-28', end: at('2026-11-29T00:00:00Z') });
    expect(month(ts)).toMatchObject({ key: '2026-11', end: at('2026-12-01T00:00:00Z') });
    expect(weekTime(ts)).toEqual({ weekday: 5, minute: 1439 });
  });

  it.each([
    [
      'that is 23 hours long',
      'Europe/Vienna',
      '2026-03-29T12:00:00Z',
      '2026-03-29',
      '2026-03-29T22:00:00.000Z',
    ],
    [
      'that is 25 hours long',
      'Europe/Vienna',
      '2026-10-24T22:00:00Z',
      '2026-10-25',
      '2026-10-25T23:00:00.000Z',
    ],
    [
      'after which midnight is missing',
      'Africa/Cairo',
      '2026-04-23T12:00:00Z',
      '2026-04-23',
      '2026-04-23T22:00:00.000Z',
    ],
    [
      'whose last hour comes twice',
      'Africa/Cairo',
      '2026-10-29T20:30:00Z',
      '2026-10-29',
      '2026-10-29T22:00:00.000Z',
    ],
    ['that a zone skips', 'Pacific/Apia', '2011-12-30T09:00:00Z', '2011-12-29', '2011-12-30T10:00:00.000Z'],
    [
      'of a zone with a half hour',
      'Asia/Kolkata',
      '2026-06-01T18:29:00Z',
      '2026-06-01',
      '2026-06-01T18:30:00.000Z',
    ],
  ])('ends a day %s', (_what, zone, ts, key, end) => {
    const span = createCalendar(zone).day(at(ts));
    expect([span.key, iso(span.end)]).toEqual([key, end]);
  });

  it('is right about earlier times after later ones', () => {
    const { day } = createCalendar('Europe/Vienna');
    day(at('2026-11-28T12:00:00Z'));
    expect(day(at('2026-11-27T12:00:00Z')).key).toBe('2026-11-27');
    expect(day(at('2026-11-28T01:00:00Z')).key).toBe('2026-11-28');
  });

  it('changes its key at the end of a span and not before, in any zone', () => {
    const zones = ['UTC', 'Europe/Vienna', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Chatham'];
    const calendars = zones.map(createCalendar);
    fc.assert(
      fc.property(
        fc.constantFrom(...calendars),
        fc.integer({ min: at('2000-01-01T00:00:00Z'), max: at('2040-01-01T00:00:00Z') }),
        ({ day, month }, ts) => {
          for (const span of [day, month]) {
            const { key, end } = span(ts);
            expect(span(end - 1).key).toBe(key);
            expect(span(end).key > key).toBe(true);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('knows zones from words', () => {
    expect(['UTC', 'Europe/Vienna', 'Mars/Olympus', ''].map(isTimeZone)).toEqual([true, true, false, false]);
  });

  it('does without Intl for UTC, the default: its data is a tenth of the memory of an agent', () => {
    const format = vi.spyOn(Intl, 'DateTimeFormat');
    isTimeZone('UTC');
    createCalendar('UTC').day(0);
    expect(format).not.toHaveBeenCalled();
    isTimeZone('Europe/Vienna');
    expect(format).toHaveBeenCalled();
    format.mockRestore();
  });
});
