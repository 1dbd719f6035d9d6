import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { node, root } from '../support/holdfast.ts';
import { temporaryFolder } from '../support/temporary.ts';

type Tests = Readonly<Record<string, string>>;

/** What CI is told of files with these tests, by name and status. */
function countsOf(files: readonly { status: string; tests: Tests }[], ...args: string[]) {
  const testResults = files.map(({ status, tests }, index) => ({
    ...{ name: `file-${index}`, status, message: 'Cannot find module' },
    assertionResults: Object.entries(tests).map(([fullName, outcome]) => ({ fullName, status: outcome })),
  }));
  const path = join(temporaryFolder(), 'report.json');
  writeFileSync(path, JSON.stringify({ testResults }));
  const run = spawnSync(node, [join(root, 'scripts/test-counts.ts'), path, ...args], { encoding: 'utf8' });
  return { code: run.status, said: run.stdout.trim().split('\n') };
}

const mixed: Tests = {
  works: 'passed',
  'works, too': 'passed',
  'PostgreSQL (skipped: needs HOLDFAST_TEST_TIMESCALE_URL) takes rows': 'skipped',
};

it('counts what passed and what failed', () => {
  const files = [
    { status: 'passed', tests: mixed },
    { status: 'failed', tests: { 'does not': 'failed', does: 'passed' } },
  ];
  expect(countsOf(files)).toEqual({ code: 1, said: ['3 passed, 1 failed'] });
});

it('counts a file that cannot be loaded', () => {
  const said = ['failed outside of its tests: file-0: Cannot find module', '0 passed, 1 failed'];
  expect(countsOf([{ status: 'failed', tests: {} }])).toEqual({ code: 1, said });
});

it('takes a skipped test for a failure where it is told to, unless it needs a server of somebody else’s', () => {
  expect(countsOf([{ status: 'passed', tests: mixed }], 'strict')).toEqual({
    code: 0,
    said: ['2 passed, 0 failed'],
  });
  const files = [{ status: 'passed', tests: { ...mixed, 'skipped: needs chromium': 'skipped' } }];
  expect(countsOf(files)).toEqual({ code: 0, said: ['2 passed, 0 failed'] });
  const said = ['was skipped, which is a failure here: skipped: needs chromium', '2 passed, 1 failed'];
  expect(countsOf(files, 'strict')).toEqual({ code: 1, said });
});
