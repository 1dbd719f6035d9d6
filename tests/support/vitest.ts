/** What the configurations of `npm test` and `npm run test:long` have in common. */
import { join } from 'node:path';
import type { TestProjectInlineConfiguration } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

export const seconds = 1000;

/**
 * They take the longest, so that everything else runs alongside them. Those that mostly wait stand among those that
 * take a processor: two of each kind fill two processors.
 */
const LONGEST = [
  'simulation/worlds',
  'overflow',
  'soak',
  'simulation/simulation',
  'full-disk',
  'process/links',
  'read-only-disk',
  'bench-smoke',
  'upgrade-blocked',
  'hostile',
  'process/stampede',
  'clones',
  'cli',
  'browser/link',
  'exactly-once',
  'simulation/stampede',
  'few-bytes',
  'browser/dashboard',
  'thinning-week',
  'page-damage',
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

export const common = (outputFile: string, env: Readonly<Record<string, string>> = {}) => ({
  // The hundreds of scripts that tests start as processes need not compile what earlier ones did.
  env: { ...env, NODE_COMPILE_CACHE: join(import.meta.dirname, '../../node_modules/.cache/tests') },
  pool: 'forks' as const,
  sequence: { sequencer: LongestFirst },
  reporters: ['default', ['json', { outputFile }]] satisfies [string, [string, object]],
});

/** Of the projects whose tests start processes. */
export const BUNDLE = join(import.meta.dirname, 'bundle.ts');

type ProjectTest = NonNullable<TestProjectInlineConfiguration['test']>;

export function project(
  name: string,
  include: string[],
  test: ProjectTest = {},
): TestProjectInlineConfiguration {
  // They end what hangs. No test is to come near them, however busy the machine is.
  const timeouts = { testTimeout: 600 * seconds, hookTimeout: 300 * seconds };
  return { extends: true, test: { name, include, ...timeouts, ...test } };
}
