import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseArguments, USAGE } from './arguments.ts';

const simulate = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], { encoding: 'utf8' });

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

it.each(['--help', '-h'])('%s is answered on standard output, whatever else is asked', (flag) => {
  const { status, stdout, stderr } = simulate('--hours', 'x', flag);
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: `${USAGE}\n`, stderr: '' });
});

it('the help names every option with its default, and every exit code', () => {
  const options = [
    'seeds',
    'from-seed',
    'hours',
    'jobs',
    'json',
    'until-failure',
    'only',
    'trace',
    'mutation',
    'late-store',
  ];
  for (const option of options) expect(USAGE).toMatch(new RegExp(`^  --${option} .*\\(default: .+\\)`, 'm'));
  // The defaults are what is used.
  const { seeds, fromSeed, hours } = requestOf([]);
  expect(USAGE).toMatch(new RegExp(`--seeds N .*\\(default: ${seeds}\\)`));
  expect(USAGE).toMatch(new RegExp(`--from-seed N .*\\(default: ${fromSeed}\\)`));
  expect(USAGE).toMatch(new RegExp(`--hours H .*simulated hours.*\\(default: ${hours}\\)`));
  expect(USAGE).toMatch(/^Exit codes: 0 .*; 1 .*; 64 /m);
});

it('an unknown option is refused with the help, on standard error', () => {
  const { status, stdout, stderr } = simulate('--sedes', '3');
  expect({ status, stdout }).toEqual({ status: 64, stdout: '' });
  expect(stderr).toContain('--sedes');
  expect(stderr).toContain(USAGE);
});

function requestOf(args: readonly string[]) {
  const request = parseArguments(args);
  if (request === 'help') throw new Error('help was not asked for');
  return request;
}
