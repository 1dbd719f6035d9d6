import { expect, it } from 'vitest';
import { parseArguments } from './arguments.ts';

it.each([
  [['--hours', '-1'], '--hours: give a number above 0, 10000 at most, such as 0.5 for half an hour; not -1'],
  [['--hours', 'x'], '--hours: give a number above 0, 10000 at most, such as 0.5 for half an hour; not x'],
  [['--seeds', '-1'], '--seeds: give a whole number from 1 on; not -1'],
  [['--from-seed', '-.5'], '--from-seed: give a whole number from 0 on; not -.5'],
  [['--jobs=0'], '--jobs: give a whole number from 1 on; not 0'],
])('%j is refused with what to give', (args, message) => {
  expect(() => parseArguments(args)).toThrow(message);
});

it('takes numbers as they are meant', () => {
  expect(parseArguments(['--hours', '0.5', '--seeds', '3', '--json'])).toMatchObject({
    hours: 0.5,
    seeds: 3,
    json: true,
  });
});
