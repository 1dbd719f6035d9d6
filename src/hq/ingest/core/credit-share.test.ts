import { expect, it } from 'vitest';
import { creditShare } from './credit-share.ts';

const options = { perAgent: 8, total: 512 };
it.each([
  ['a few agents get all', 3, 0, 8],
  ['many share', 128, 0, 4],
  ['everyone keeps one', 100_000, 0, 1],
  ['a filling queue brakes', 1, 0.75, 4],
  ['a full queue brakes to one', 1, 1, 1],
] as const)('%s', (_, drainingAgents, load, expected) => {
  expect(creditShare(options, { drainingAgents, load })).toBe(expected);
});
