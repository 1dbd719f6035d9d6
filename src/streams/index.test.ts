import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as streams from './index.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/streams.md'), 'utf8');
/** Each operator as its row in the documentation names it, without the types. */
const rows = [...page.matchAll(/^\| `(\w+)\(([^`]*)\)` \|/gm)].map(([, name = '', given = '']) => ({
  name,
  parameters: given.split(', '),
}));

it('has a row of the documentation for each function', () => {
  const functions = Object.entries(streams).filter(([name]) => /^[a-z]/.test(name));
  expect(rows.map(({ name }) => name).toSorted()).toEqual(functions.map(([name]) => name).toSorted());
});

it.each(rows)('$name takes what its row says', ({ name, parameters }) => {
  const operator = Object.entries(streams).find(([one]) => one === name)?.[1];
  if (typeof operator !== 'function') throw new Error(`${name} is no function`);
  // One with a default does not count.
  expect(parameters.filter((one) => !one.endsWith('?'))).toHaveLength(operator.length);
});
