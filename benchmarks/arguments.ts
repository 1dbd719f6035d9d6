/** The command line of the benchmarks. */
import { parseArgs } from 'node:util';

export const usageOf = (
  names: readonly string[],
) => `npm run bench -- [--only NAME,…] [--json] [--quick] [--no-build]

Runs the benchmarks alongside the baselines of the same run; all of them take about 25 minutes.

  --only NAME,…  only these of ${names.join(', ')} (default: all)
  --json         one JSON document on standard output (default: text)
  --quick        seconds instead of minutes, only to show that everything works: the figures mean nothing (default: off)
  --no-build     do not build first: measure what was built last (default: build)
  -h, --help     print this and end

Exit codes: 0 all ran, whatever the figures; 1 one failed; 64 wrong usage.`;

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export type BenchRequest = {
  readonly only: readonly string[];
  readonly json: boolean;
  readonly quick: boolean;
  readonly build: boolean;
};

/** `names`: the benchmarks that there are. Throws UsageError. */
export function parseArguments(args: readonly string[], names: readonly string[]): BenchRequest | 'help' {
  const values = read(args);
  if (values.help === true) return 'help';
  const only = values.only?.split(',') ?? names;
  const unknown = only.filter((name) => !names.includes(name));
  if (unknown.length > 0)
    throw new UsageError(`no benchmark called ${unknown.join(', ')}; there are ${names.join(', ')}`);
  return {
    only,
    json: values.json === true,
    quick: values.quick === true,
    build: values['no-build'] !== true,
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean' },
        only: { type: 'string' },
        quick: { type: 'boolean' },
        'no-build': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
