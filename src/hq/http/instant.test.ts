import { describe, expect, it } from 'vitest';
import { WRITTEN_TIMES } from '../../protocol/testing/written-times.ts';
import { parseDeliveredInstant, parseDuration, parseQueryInstant, parseRfc3339 } from './instant.ts';

describe('instants', () => {
  it.each([
    ['2026-01-31T12:00:00Z', Date.UTC(2026, 0, 31, 12)],
    ['2026-01-31T12:00:00.250Z', Date.UTC(2026, 0, 31, 12, 0, 0, 250)],
    ['2026-01-31T12:00:00.123456789z', Date.UTC(2026, 0, 31, 12, 0, 0, 123)],
    ['2026-01-31 14:30:00+02:30', Date.UTC(2026, 0, 31, 12)],
    ['2026-01-31T12:00:00', Date.UTC(2026, 0, 31, 12)],
    ['1969-12-31T23:59:59Z', -1000],
    ['2026-02-30T12:00:00Z', null],
    ['2026-13-01T12:00:00Z', null],
    ['2026-01-31T25:00:00Z', null],
    ['2026-01-31', null],
    ['yesterday', null],
    ['', null],
  ])('RFC 3339 %s: %s', (text, expected) => {
    expect(parseRfc3339(text)).toBe(expected);
  });

  it.each(WRITTEN_TIMES)('RFC 3339 %s, as every reader: %s', (text, expected) => {
    const ms = parseRfc3339(text);
    expect(ms === null ? null : new Date(ms).toISOString()).toBe(expected);
  });

  it.each([
    ['0', 0],
    ['1700000000000', 1_700_000_000_000],
    ['-5', -5],
    ['9999999999999999', null],
    ['8640000000000001', 8.64e15 + 1],
    ['8640000000000002', null],
    ['-8640000000000000', -8.64e15],
    ['-8640000000000001', null],
    ['1e3', null],
    ['2026-01-31T12:00:00Z', Date.UTC(2026, 0, 31, 12)],
  ])('in a query %s: %s', (text, expected) => {
    expect(parseQueryInstant(text)).toBe(expected);
  });

  it.each([
    [1_700_000_000_123, 1_700_000_000_123],
    [1_700_000_000, 1_700_000_000_000],
    [1_700_000_000.5, 1_700_000_000_500],
    [1_700_000_000.123, 1_700_000_000_123],
    [1_700_000_000.9999, 1_700_000_000_999],
    [1_700_000_000.999999, 1_700_000_000_999],
    [1_700_000_000_123.9, 1_700_000_000_123],
    ['2026-01-31T12:00:00.999999999Z', Date.UTC(2026, 0, 31, 12, 0, 0, 999)],
    ['1969-12-31T23:59:59.9999Z', -1],
    [-0.0001, -1],
    [8.64e15, 8.64e15],
    [-8.64e15, -8.64e15],
    ['2026-01-31T12:00:00Z', Date.UTC(2026, 0, 31, 12)],
    [9e15, 9e15],
    [Number.POSITIVE_INFINITY, null],
    [Number.NaN, null],
    ['1700000000', null],
  ])('in a delivery %s: %s', (value, expected) => {
    expect(parseDeliveredInstant(value)).toBe(expected);
  });

  it.each([
    ['10s', 10_000],
    ['500ms', 500],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['250', 250],
    ['0s', null],
    ['-1s', null],
    ['1.5s', null],
    ['10 s', null],
    ['', null],
  ])('duration %s: %s', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });
});
