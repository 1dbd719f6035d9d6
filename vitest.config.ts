import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The soak lasts ten minutes, so that everything else runs beside it; the others take one to three. */
const LONGEST = [
  'soak',
  'exactly-once',
  'simulation/simulation',
  'overflow',
  'full-disk',
  'thinning-week',
  'read-only-disk',
  'crash-images',
  'journal/journal',
];

/** A fresh clone knows no times of earlier runs. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(`${name}.test.ts`));
      return at < 0 ? LONGEST.length : at;
    };
    return [...(await super.sort(files))].sort((a, b) => rank(a) - rank(b));
  }
}

const seconds = 1000;

/** What is held to times of the wall clock, and one after the other has the machine to itself. */
const ALONE = [
  'simulation/worlds.test.ts',
  'tests/process/journal-reopen.test.ts',
  'tests/process/stampede.test.ts',
];

export default defineConfig({
  test: {
    // The hundreds of scripts that tests start as processes need not compile what earlier ones did.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/tests') },
    pool: 'forks',
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst, groupOrder: 2 },
    reporters: ['default', ['json', { outputFile: 'test-results/vitest.json' }]],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['src/**/*.test.{ts,tsx}', 'tests/tidy/*.test.ts'],
          testTimeout: 60 * seconds,
        },
      },
      {
        extends: true,
        test: { name: 'marble', include: ['marble-tests/**/*.test.ts'], testTimeout: 30 * seconds },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          testTimeout: 300 * seconds,
          hookTimeout: 60 * seconds,
          maxWorkers: 1,
          // Before all others.
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'simulation',
          include: ['simulation/**/*.test.ts'],
          exclude: ALONE,
          testTimeout: 300 * seconds,
        },
      },
      {
        extends: true,
        test: {
          name: 'process',
          include: ['tests/process/**/*.test.ts', 'tests/crash/**/*.test.ts'],
          exclude: ALONE,
          testTimeout: 300 * seconds,
          hookTimeout: 60 * seconds,
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['tests/browser/**/*.test.ts'],
          testTimeout: 180 * seconds,
          hookTimeout: 60 * seconds,
        },
      },
    ],
  },
});
