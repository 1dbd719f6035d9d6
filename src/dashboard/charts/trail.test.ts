import { expect, test } from 'vitest';
import { trailPaths } from './trail.ts';

test('a journal that was empty all along has no curve', () => {
  expect(trailPaths([])).toBeNull();
  expect(
    trailPaths([
      { t: 0, pending: 0 },
      { t: 1000, pending: 0 },
    ]),
  ).toBeNull();
});

test('the newest point stands at the right edge, and the area closes below the curve', () => {
  const paths = trailPaths([
    { t: 0, pending: 0 },
    { t: 45_000, pending: 10 },
  ]);
  expect(paths).toEqual({ line: 'M36.0 17.0L72.0 1.0', area: 'M36.0 17.0L72.0 1.0V18H36.0Z' });
});
