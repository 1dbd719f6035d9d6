import { Argument, type Command } from 'commander';
import { z } from 'zod';
import { known } from '../asking/hq-client.ts';
import { type AskOptions, addAskOptions, clientOf } from '../asking/hq-options.ts';
import { type Column, printRows } from '../asking/rows.ts';

const counts = z.record(z.string(), z.number());
const entrySchema = z.looseObject({
  epoch: z.string(),
  sampled: z.number(),
  stored: z.number(),
  pending: z.number(),
  thinned: counts,
  dropped: counts,
});
type Entry = z.infer<typeof entrySchema>;

const sum = (of: Readonly<Record<string, number>>) => Object.values(of).reduce((all, one) => all + one, 0);
const shown = (of: Readonly<Record<string, number>>) =>
  Object.entries(of)
    .map(([reason, samples]) => `${reason} ${samples}`)
    .join(', ') || '0';

const COLUMNS: readonly Column<Entry>[] = [
  { name: 'epoch', value: ({ epoch }) => epoch },
  { name: 'sampled', value: ({ sampled }) => sampled, isRight: true },
  { name: 'stored', value: ({ stored }) => stored, isRight: true },
  { name: 'pending', value: ({ pending }) => pending, isRight: true },
  { name: 'thinned', value: ({ thinned }) => sum(thinned), shown: ({ thinned }) => shown(thinned) },
  { name: 'dropped', value: ({ dropped }) => sum(dropped), shown: ({ dropped }) => shown(dropped) },
];

/** `holdfast ledger ID`: in every epoch sampled = stored + pending + thinned + dropped. */
export function defineLedgerCommand(command: Command): void {
  addAskOptions(command)
    .addArgument(new Argument('<id>', 'id of the agent'))
    .action(async (id: string, options: AskOptions) => {
      const items = clientOf(options).items(`/api/v1/agents/${encodeURIComponent(id)}/ledger`);
      await printRows(options.output, COLUMNS, entriesIn(items));
    });
}

async function* entriesIn(items: AsyncIterable<unknown>): AsyncGenerator<Entry, void> {
  for await (const item of items) yield known(entrySchema, item);
}
