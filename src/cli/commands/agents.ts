import type { Command } from 'commander';
import { z } from 'zod';
import { known } from '../asking/hq-client.ts';
import { type AskOptions, addAskOptions, clientOf } from '../asking/hq-options.ts';
import { type Column, printRows, timeOf } from '../asking/rows.ts';

/** What the columns show; JSON has all that HQ says. */
const agentSchema = z.looseObject({
  id: z.string(),
  state: z.string(),
  lastSampleTs: z.number().nullable(),
  lagMs: z.number().nullable(),
  stored: z.number(),
  pending: z.number(),
  dropped: z.number(),
  completeness: z.number(),
  labels: z.record(z.string(), z.string()).default({}),
});
type Agent = z.infer<typeof agentSchema>;

const PERCENT_STEPS = 10_000;

const COLUMNS: readonly Column<Agent>[] = [
  { name: 'id', value: ({ id }) => id },
  { name: 'state', value: ({ state }) => state },
  { name: 'last', value: ({ lastSampleTs }) => timeOf(lastSampleTs) },
  {
    name: 'lag',
    value: ({ lagMs }) => lagMs,
    shown: ({ lagMs }) => (lagMs === null ? '–' : `${lagMs} ms`),
    isRight: true,
  },
  { name: 'stored', value: ({ stored }) => stored, isRight: true },
  { name: 'pending', value: ({ pending }) => pending, isRight: true },
  { name: 'dropped', value: ({ dropped }) => dropped, isRight: true },
  {
    name: 'completeness',
    value: ({ completeness }) => completeness,
    // 100 % only where nothing is missing.
    shown: ({ completeness }) =>
      `${((Math.floor(completeness * PERCENT_STEPS) / PERCENT_STEPS) * 100).toFixed(2)} %`,
    isRight: true,
  },
  {
    name: 'labels',
    value: ({ labels }) =>
      Object.entries(labels)
        .map(([name, value]) => `${name}=${value}`)
        .join(' '),
  },
];

type Options = AskOptions & { readonly label: readonly string[] };

/** `holdfast agents`: the agents that HQ knows. */
export function defineAgentsCommand(command: Command): void {
  addAskOptions(command)
    .option(
      '--label <name=value>',
      'only agents with this label, or, without a value, with one of this name; repeats: all must hold',
      (text: string, all: readonly string[]) => [...all, text.replace('=', ':')],
      [],
    )
    .action(async (options: Options) => {
      const items = clientOf(options).items('/api/v1/agents', { label: options.label });
      await printRows(options.output, COLUMNS, agentsIn(items));
    });
}

async function* agentsIn(items: AsyncIterable<unknown>): AsyncGenerator<Agent, void> {
  for await (const item of items) yield known(agentSchema, item);
}
