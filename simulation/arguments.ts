/** The command line of the simulation. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';

export const USAGE = `npm run simulate -- [--seeds N] [--from-seed N] [--hours H] [--jobs N] [--json]
                     [--until-failure] [--only I,I,…] [--trace] [--mutation NAME]

  --seeds N       worlds to run, default 100
  --from-seed N   the first seed, default 1
  --hours H       simulated hours of each, default 1
  --jobs N        processes, default one a core
  --json          one JSON object a line; the last one sums up
  --only I,…      exactly these faults of a seed, by their number in its plan, or none; needs --seeds 1
  --until-failure stops at the first failure, and does not shrink it
  --trace         every event on standard output; needs --seeds 1
  --mutation NAME breaks the product in a known way first (simulation/mutations)

Exit code 1 when a promise was broken.`;

/** In place of a list of faults. */
export const NO_FAULTS = 'none';

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export type SimulationRequest = {
  readonly seeds: number;
  readonly fromSeed: number;
  readonly hours: number;
  readonly jobs: number;
  readonly json: boolean;
  readonly only: readonly number[] | null;
  readonly untilFailure: boolean;
  readonly trace: boolean;
  readonly mutation: string | null;
  /** Set by ourselves for a child process: prints one line a seed and nothing else. */
  readonly child: boolean;
};

export function parseArguments(args: readonly string[]): SimulationRequest {
  const values = read(args);
  const seeds = whole('--seeds', values.seeds ?? '100', 1);
  const only = values.only === undefined ? null : values.only === NO_FAULTS ? [] : values.only.split(',');
  if (seeds > 1 && (only !== null || values.trace === true))
    throw new UsageError('--only and --trace speak of one seed: give --seeds 1 and --from-seed');
  const hours = Number(values.hours ?? '1');
  if (!(hours > 0 && hours <= 10_000))
    throw new UsageError(
      `--hours: give a number above 0, 10000 at most, such as 0.5 for half an hour; not ${values.hours}`,
    );
  return {
    seeds,
    fromSeed: whole('--from-seed', values['from-seed'] ?? '1', 0),
    hours,
    jobs: whole('--jobs', values.jobs ?? String(availableParallelism()), 1),
    json: values.json === true,
    only: only?.map((one) => whole('--only', one, 0)) ?? null,
    untilFailure: values['until-failure'] === true,
    trace: values.trace === true,
    mutation: values.mutation ?? null,
    child: values.child === true,
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: withNegatives(args),
      options: {
        seeds: { type: 'string' },
        'from-seed': { type: 'string' },
        hours: { type: 'string' },
        jobs: { type: 'string' },
        json: { type: 'boolean' },
        only: { type: 'string' },
        'until-failure': { type: 'boolean' },
        trace: { type: 'boolean' },
        mutation: { type: 'string' },
        child: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** `--hours -1` as `--hours=-1`: else the parser takes the number for an option, and speaks of that. */
function withNegatives(args: readonly string[]): string[] {
  return args.flatMap((one, index) => {
    const isNegative = (text: string | undefined) => text !== undefined && /^-[\d.]/.test(text);
    if (isNegative(one) && args[index - 1]?.startsWith('--')) return [];
    return [one.startsWith('--') && isNegative(args[index + 1]) ? `${one}=${args[index + 1]}` : one];
  });
}

function whole(name: string, text: string, minimum: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < minimum)
    throw new UsageError(`${name}: give a whole number from ${minimum} on; not ${text}`);
  return value;
}
