import { Argument, type Command } from 'commander';
import { z } from 'zod';
import { known } from '../asking/hq-client.ts';
import { type AskOptions, addAskOptions, clientOf } from '../asking/hq-options.ts';
import { type Column, printRows, timeOf } from '../asking/rows.ts';

const seriesSchema = z.looseObject({
  series: z.string(),
  source: z.string(),
  unit: z.string(),
  firstTs: z.number().nullable(),
  lastTs: z.number().nullable(),
});
type Series = z.infer<typeof seriesSchema>;

const COLUMNS: readonly Column<Series>[] = [
  { name: 'series', value: ({ series }) => series },
  { name: 'source', value: ({ source }) => source },
  { name: 'unit', value: ({ unit }) => unit },
  { name: 'first', value: ({ firstTs }) => timeOf(firstTs) },
  { name: 'last', value: ({ lastTs }) => timeOf(lastTs) },
];

/** `holdfast series ID`: what an agent measures. */
export function defineSeriesCommand(command: Command): void {
  addAskOptions(command)
    .addArgument(new Argument('<id>', 'id of the agent'))
    .action(async (id: string, options: AskOptions) => {
      const items = clientOf(options).items(`/api/v1/agents/${encodeURIComponent(id)}/series`);
      await printRows(options.output, COLUMNS, seriesIn(items));
    });
}

async function* seriesIn(items: AsyncIterable<unknown>): AsyncGenerator<Series, void> {
  for await (const item of items) yield known(seriesSchema, item);
}
