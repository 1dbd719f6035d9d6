import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { SOURCES } from '../../agent/sources/kinds.ts';
import { parseSourceSpec, readSource, SOURCE_KINDS } from '../../agent/sources/spec.ts';
import { sourceSection } from './source-section.ts';

const page = sourceSection();

it.each(SOURCE_KINDS)('has a row for each option of %s', (kind) => {
  const part = page.slice(page.indexOf(`\n\`${kind}\`: `));
  const table = part.slice(0, part.indexOf('\n\n', part.indexOf('|---|')));
  const rows = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  expect(rows).toEqual(Object.keys(SOURCES[kind].schema.shape).filter((name) => name !== 'kind'));
});

it('shows only texts that can be used', () => {
  const examples = [...page.matchAll(/for instance `([^`]+)`|--source (\S+)|^ {6}- (\S+)$/gm)];
  expect(examples.length).toBeGreaterThanOrEqual(7);
  for (const [, ...found] of examples) {
    const text = found.find((one) => one !== undefined) ?? '';
    expect(() => parseSourceSpec(text)).not.toThrow();
  }
});

it('shows only maps that can be used', () => {
  const maps = [...page.matchAll(/^ {6}- (\{.+\})$/gm)].map(([, map]) => readSource(parse(map ?? '')));
  expect(maps).toEqual([parseSourceSpec('sim:hz=10,sensors=4')]);
});

it('says what is needed, what may be left out, and what is allowed', () => {
  expect(page).toContain('| `path` | needed |');
  expect(page).toContain('| `every` | `1000` | whole, 50 to 86400000 |');
  expect(page).toContain('| `ts` |  | `row` `now` |');
});
