/** The table of bounds in docs/architecture.md names settings and metrics that exist. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { hqConfigSchema } from '../../src/hq/config.ts';
import { start } from '../../src/hq/testing/started-hq.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Rows of the table, without its head. */
function bounds(): readonly (readonly string[])[] {
  const text = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const section = text.split("## Bounds of HQ's ingest")[1]?.split('\n## ')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(1).map((row) => row.split(/(?<!\\)\|/).slice(1, -1));
}

const code = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, inner = '']) => inner);

it('names what is bounded, the bound and what happens at it, in each row', () => {
  expect(bounds().length).toBeGreaterThan(25);
  for (const row of bounds()) {
    expect(row, row[0]).toHaveLength(4);
    for (const index of [0, 1, 2, 3]) expect(row[index]?.trim(), row[0]).not.toBe('');
  }
});

it('names settings that exist', () => {
  const { limits } = hqConfigSchema.parse({});
  const named = bounds()
    .flatMap((row) => code(row.join(' ')))
    .filter((one) => one.startsWith('limits.'));
  expect(named.length).toBeGreaterThan(10);
  for (const setting of named) expect(Object.keys(limits)).toContain(setting.slice('limits.'.length));
});

it('names metrics that a running HQ has', async () => {
  const metrics = await (await fetch(`${(await start()).url}/metrics`)).text();
  const known = new Set([...metrics.matchAll(/^# HELP (holdfast_\w+) /gm)].map(([, name = '']) => name));
  const named = bounds().flatMap(([, , metrics = '']) => {
    let before = '';
    return code(metrics).flatMap((one) => {
      const name = one.replace(/\{.*$/, '');
      if (name.startsWith('holdfast_')) before = name;
      // Short for one that begins as the one before it.
      else if (name.startsWith('_')) return [[before, name]] as const;
      else return [];
      return [[name, '']] as const;
    });
  });
  expect(named.length).toBeGreaterThan(30);
  for (const [name, rest] of named) {
    if (rest === '') expect([...known]).toContain(name);
    else
      expect(
        [...known].some((one) => one.endsWith(rest) && one.startsWith(name.split('_').slice(0, 2).join('_'))),
        rest,
      ).toBe(true);
  }
});
