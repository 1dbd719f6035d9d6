import { expect, it } from 'vitest';
import { reconnectHintMs } from './reconnect-hint.ts';

it.each([
  ['few agents come back within two seconds', 3, 100, 2_000],
  ['as many as come in two seconds do so too', 200, 100, 2_000],
  ['two thousand are spread', 2_000, 100, 20_000],
  ['a slower HQ spreads them more', 2_000, 10, 200_000],
  ['nobody is kept away for longer than an hour', 1_000_000, 1, 3_600_000],
])('%s', (_what, agents, perSecond, expected) => {
  expect(reconnectHintMs(agents, perSecond)).toBe(expected);
});
