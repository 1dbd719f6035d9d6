/**
 * The suites of `npm test`: nothing in them is judged by the clock. vitest.long.config.ts has those of
 * `npm run test:long`.
 */
import { defineConfig } from 'vitest/config';
import { BUNDLE, common, project } from './tests/support/vitest.ts';

export default defineConfig({
  test: {
    ...common('test-results/vitest.json'),
    // Twice the processors that `npm test` is made for: half of the tests wait.
    maxWorkers: 4,
    projects: [
      project('unit', ['src/**/*.test.{ts,tsx}', 'tests/tidy/*.test.ts']),
      // They hold nothing but virtual time: a process for each file would load the same modules each time.
      project('marble', ['marble-tests/**/*.test.ts'], { isolate: false }),
      project('simulation', ['simulation/**/*.test.ts']),
      project('process', ['tests/process/**/*.test.ts', 'tests/crash/**/*.test.ts'], { globalSetup: BUNDLE }),
      project('browser', ['tests/browser/**/*.test.ts'], { globalSetup: BUNDLE }),
    ],
  },
});
