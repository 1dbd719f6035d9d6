/**
 * The suites of `npm run test:long`: what takes long, and what is judged by the clock. What is in tests/long is only
 * here; the other files are those of `npm test`, in full size and with their times judged (tests/support/long.ts).
 */
import { defineConfig } from 'vitest/config';
import { BUNDLE, common, project, seconds } from './tests/support/vitest.ts';

/** Nothing in them is judged by the clock: they run beside each other, after the others. */
const BESIDE = [
  'tests/long/beside/**/*.test.ts',
  'tests/crash/{crash-images,page-damage}.test.ts',
  'tests/process/drain-memory.test.ts',
  'tests/process/exactly-once.test.ts',
  'tests/process/soak.test.ts',
  'tests/process/thinning-week.test.ts',
  'simulation/worlds.test.ts',
  'simulation/faults/faults.test.ts',
  'src/journal/journal.test.ts',
  'src/protocol/codec/{fuzz,round-trip,thinned}.test.ts',
  'simulation/stampede.test.ts',
];

/** One after the other, each with the machine to itself. */
const JUDGED = [
  'tests/long/**/*.test.ts',
  'tests/crash/full-disk.test.ts',
  'tests/crash/read-only-disk.test.ts',
  'tests/process/cli.test.ts',
  'tests/process/flood.test.ts',
  'tests/process/held-loop.test.ts',
  'tests/process/hostile.test.ts',
  'tests/process/live-first.test.ts',
  'tests/process/overflow.test.ts',
  'tests/process/stampede.test.ts',
];

const times = { testTimeout: 1_800 * seconds, globalSetup: BUNDLE };

export default defineConfig({
  test: {
    ...common('test-results/vitest-long.json', { TEST_LONG: 'true' }),
    projects: [
      project('judged', JUDGED, {
        ...times,
        exclude: BESIDE,
        maxWorkers: 1,
        sequence: { groupOrder: 1 },
      }),
      project('beside', BESIDE, { ...times, maxWorkers: 3, sequence: { groupOrder: 2 } }),
    ],
  },
});
