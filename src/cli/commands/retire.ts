import { createInterface } from 'node:readline/promises';
import { Argument, type Command } from 'commander';
import { firstValueFrom, timer } from 'rxjs';
import { z } from 'zod';
import { createSystemClock } from '../../platform/clock.ts';
import { type HqClient, known } from '../asking/hq-client.ts';
import { type AskOptions, addAskOptions, clientOf } from '../asking/hq-options.ts';
import { type Column, printRows } from '../asking/rows.ts';
import { CommandFailure, EXIT } from '../exit.ts';

const countsSchema = z.looseObject({
  id: z.string(),
  sampled: z.number(),
  stored: z.number(),
  pending: z.number(),
  thinned: z.number(),
  dropped: z.number(),
});
type Counts = z.infer<typeof countsSchema>;

const COLUMNS: readonly Column<Counts>[] = [
  { name: 'id', value: ({ id }) => id },
  ...(['sampled', 'stored', 'pending', 'thinned', 'dropped'] as const).map((name) => ({
    name,
    value: (counts: Counts) => counts[name],
    isRight: true,
  })),
];

/** HQ is asked this often whether the removal is done, ms. */
const LOOK_AGAIN_MS = 500;

type Options = AskOptions & { readonly purge?: true; readonly yes?: true };

/** `holdfast retire ID`: takes an agent that comes no more out of those that count, or removes it for good. */
export function defineRetireCommand(command: Command): void {
  addAskOptions(command)
    .addArgument(new Argument('<id>', 'id of the agent'))
    .option('--purge', 'remove everything that is stored of it, for good; waits until that is done')
    .option('--yes', 'do not ask')
    .action(async (id: string, options: Options) => {
      if (options.yes !== true) await confirm(id, options);
      const path = `/api/v1/agents/${encodeURIComponent(id)}`;
      const client = clientOf(options);
      const { status, body } = await client.remove(path, options.purge === true ? { purge: 'true' } : {});
      const isGone = status === 204;
      if (isGone) say(`${id} was removed for good before; nothing is stored of it`);
      else await printRows(options.output, COLUMNS, [known(countsSchema, body)]);
      if (options.purge !== true) say(`${id} is retired; its samples stay until retention removes them`);
      else if (!isGone) {
        await untilGone(client, path);
        say(`${id} is removed for good`);
      }
    });
}

/** To standard error: what is printed may go on to a program. */
const say = (text: string): void => void process.stderr.write(`holdfast: ${text}\n`);

/** The order is not given again: it would be one for an agent that has come back. */
async function untilGone(client: HqClient, path: string): Promise<void> {
  const { scheduler } = createSystemClock();
  while ((await client.problemAt(path)) === 'removing') await firstValueFrom(timer(LOOK_AGAIN_MS, scheduler));
}

/** Throws a CommandFailure unless a person at a terminal agrees. */
async function confirm(id: string, { purge }: Options): Promise<void> {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new CommandFailure(EXIT.usage, 'nobody can be asked here, as this is no terminal: add --yes');
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const question =
      purge === true
        ? `Everything that HQ stores of ${id} goes, for good. Type its id to go on: `
        : `Retire ${id}? Its samples stay until retention removes them. [y/N] `;
    const answer = (await asking.question(question)).trim();
    const isMeant = purge === true ? answer === id : /^y(es)?$/i.test(answer);
    if (!isMeant) throw new CommandFailure(EXIT.failure, 'nothing was done');
  } finally {
    asking.close();
  }
}
