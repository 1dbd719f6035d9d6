import { expect, test } from 'vitest';
import { drawableSpan } from './zoom.ts';

test('a span is drawn on whole milliseconds, and never shorter than two seconds', () => {
  expect(drawableSpan(1000.5, 9000.2)).toEqual({ from: 1000, to: 9001 });
  expect(drawableSpan(10_000, 10_100)).toEqual({ from: 9050, to: 11_050 });
  expect(drawableSpan(0, 10)).toEqual({ from: 0, to: 2000 });
});

test.each([
  [5, 5],
  [6, 5],
  [-1, 5],
  [Number.NaN, 5],
  [5, Number.NaN],
  [0, 2 ** 53 - 1],
])('%d to %d is no span', (from, to) => expect(drawableSpan(from, to)).toBeNull());
