import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Starts the ten-minute soak first, so that everything else runs beside it. */
class SoakFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isSoak = (file: TestSpecification) => (file.moduleId.includes('soak') ? 0 : 1);
    return [...(await super.sort(files))].sort((a, b) => isSoak(a) - isSoak(b));
  }
}

const seconds = 1000;

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 3,
    sequence: { sequencer: SoakFirst, groupOrder: 2 },
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
          name: 'worlds',
          include: ['simulation/worlds.test.ts'],
          testTimeout: 300 * seconds,
          // Before all others, alone.
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'stampede',
          include: ['tests/process/stampede.test.ts'],
          testTimeout: 300 * seconds,
          hookTimeout: 60 * seconds,
          // Then this, alone: HQ and two thousand agents are as much as two cores can carry in time.
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'simulation',
          include: ['simulation/**/*.test.ts'],
          exclude: ['simulation/worlds.test.ts'],
          testTimeout: 300 * seconds,
        },
      },
      {
        extends: true,
        test: {
          name: 'process',
          include: ['tests/process/**/*.test.ts', 'tests/crash/**/*.test.ts'],
          exclude: ['tests/process/stampede.test.ts'],
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
