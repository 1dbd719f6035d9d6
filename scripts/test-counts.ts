/**
 * Sums up vitest's report for `.ci/run`. Prints what failed besides tests, then 'N passed, N failed'; the exit code is
 * 1 where anything failed. Arguments: the report; 'strict' where a test that was skipped is a failure, too.
 *
 * A suite that needs a server of somebody else's runs where HOLDFAST_TEST_…_URL names one, and is no failure elsewhere.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const reportSchema = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});
const NEEDS_A_SERVER = /\bHOLDFAST_TEST_[A-Z0-9_]+_URL\b/;

const [path = '', strict] = process.argv.slice(2);
const { testResults } = reportSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
const withStatus = (...wanted: string[]) => tests.filter(({ status }) => wanted.includes(status));

const passed = withStatus('passed').length;
// A file that cannot be loaded has no tests to fail.
const broken = testResults.filter(
  ({ status, assertionResults }) =>
    status === 'failed' && !assertionResults.some((one) => one.status === 'failed'),
);
const skipped = withStatus('pending', 'skipped', 'todo', 'disabled').filter(
  ({ fullName }) => !NEEDS_A_SERVER.test(fullName),
);
const unwanted = strict === 'strict' ? skipped : [];

for (const { name, message } of broken) console.log(`failed outside of its tests: ${name}: ${message}`);
for (const { fullName } of unwanted) console.log(`was skipped, which is a failure here: ${fullName}`);
const failed = withStatus('failed').length + broken.length + unwanted.length;
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
