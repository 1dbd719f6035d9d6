import { expect, it } from 'vitest';
import { readDuration, readSize } from './quantity.ts';

it.each([
  ['500ms', 500],
  ['10s', 10_000],
  ['1.5h', 5_400_000],
  ['1h30m', 5_400_000],
  ['1d 12h', 129_600_000],
  ['2H', 7_200_000],
  ['90min', 5_400_000],
  ['1m0.5s', 60_500],
  ['1.001s', 1_001],
])('%s are %d ms', (text, ms) => {
  expect(readDuration(text)).toBe(ms);
});

it.each([
  ['64KiB', 65_536],
  ['2 GB', 2_000_000_000],
  ['4G', 4 * 2 ** 30],
  ['4g', 4 * 2 ** 30],
  ['512Mi', 512 * 2 ** 20],
  ['1.5T', 1.5 * 2 ** 40],
  ['1TB', 1e12],
  ['7b', 7],
])('%s are %d bytes', (text, bytes) => {
  expect(readSize(text)).toBe(bytes);
});

it.each(['', '10', 's', '1x', '30m1h', '1h1h', '1h30', '-1s', '1h-30m', '1h,30m', '1e3s', 'constructor'])(
  '"%s" is no duration',
  (text) => {
    expect(readDuration(text)).toBeNull();
  },
);

it.each(['', '10', 'G', '1h', '1GiBs', '-1G', '4G2M', '1constructor'])('"%s" is no size', (text) => {
  expect(readSize(text)).toBeNull();
});
