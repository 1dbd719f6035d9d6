import { expect, it } from 'vitest';
import { createHintTeller, reconnectHintMs } from './reconnect-hint.ts';

it.each([
  ['few agents come back within two seconds', 3, 100, 2_000],
  ['as many as come in one second do so too', 100, 100, 2_000],
  ['two thousand are spread', 2_000, 100, 40_000],
  ['a slower HQ spreads them more', 2_000, 10, 400_000],
  ['nobody is kept away for longer than an hour', 1_000_000, 1, 3_600_000],
])('%s', (_what, agents, perSecond, expected) => {
  expect(reconnectHintMs(agents, perSecond)).toBe(expected);
});

it('is given at hello, and in a heartbeat only where it has changed since', () => {
  let agents = 3;
  const { tell, changed } = createHintTeller(() => reconnectHintMs(agents, 100));
  expect(tell()).toEqual({ reconnectMs: 2_000 });
  expect(changed()).toEqual({});
  agents = 5_000;
  expect(changed()).toEqual({ reconnectMs: 100_000 });
  expect(changed()).toEqual({});
  agents = 3;
  expect(tell()).toEqual({ reconnectMs: 2_000 });
  expect(changed()).toEqual({});
});
