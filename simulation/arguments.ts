/** The command line of the simulation. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';

export const USAGE = `npm run simulate -- [--seeds N] [--from-seed N] [--hours H] [--jobs N] [--json]
                     [--until-failure] [--only I,I,…] [--trace] [--mutation NAME] [--late-store]

Runs agents and HQ on one virtual clock with injected faults, one world a seed, and checks what is promised.

  --seeds N        how many worlds to run; a whole number from 1 on (default: 100)
  --from-seed N    the first seed; a whole number from 0 on (default: 1)
  --hours H        how long each world lasts, in simulated hours; above 0, 10000 at most (default: 1)
  --jobs N         how many processes share the work; a whole number from 1 on (default: one for each processor)
  --json           one JSON object a line; the last one sums up (default: text)
  --until-failure  stop at the first failure, and do not shrink it (default: run all, shrink each that fails)
  --only I,…       exactly these faults of the seed, by their numbers in its plan, or none (default: all); needs --seeds 1
  --trace          print every event; needs --seeds 1 (default: off)
  --mutation NAME  break the product in a known way first, as listed in simulation/mutations (default: as it is)
  --late-store     HQ's store takes its time for each answer, as one on another machine would (default: it answers at once)
  -h, --help       print this and end

Exit codes: 0 every promise was kept; 1 one was broken, or the run itself failed; 64 wrong usage.`;

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
  readonly lateStore: boolean;
  /** Set by ourselves for a child process: prints one line a seed and nothing else. */
  readonly child: boolean;
};

/** Throws UsageError. */
export function parseArguments(args: readonly string[]): SimulationRequest | 'help' {
  const values = read(args);
  if (values.help === true) return 'help';
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
    lateStore: values['late-store'] === true,
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
        'late-store': { type: 'boolean' },
        child: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
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
