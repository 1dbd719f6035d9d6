import { Argument, type Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { known } from '../asking/hq-client.ts';
import { type AskOptions, addAskOptions, clientOf } from '../asking/hq-options.ts';
import { type Column, printRows, timeOf } from '../asking/rows.ts';

const sampleSchema = z.looseObject({
  epoch: z.string(),
  seq: z.number(),
  ts: z.number(),
  source: z.string(),
  /** NaN and infinities are words. */
  values: z.record(z.string(), z.number().or(z.string())),
});
type Sample = z.infer<typeof sampleSchema>;
type Value = Sample & { readonly series: string; readonly value: number | string };

const PLACE: readonly Column<Sample>[] = [
  { name: 'time', value: ({ ts }) => timeOf(ts) },
  { name: 'epoch', value: ({ epoch }) => epoch },
  { name: 'seq', value: ({ seq }) => seq, isRight: true },
  { name: 'source', value: ({ source }) => source },
];
const COLUMNS: readonly Column<Sample>[] = [
  ...PLACE,
  {
    name: 'values',
    value: ({ values }) =>
      Object.entries(values)
        .map(([series, value]) => `${series}=${value}`)
        .join(' '),
  },
];
/** CSV has a row for each value: samples of several sources have no columns in common. */
const VALUE_COLUMNS: readonly Column<Value>[] = [
  ...PLACE,
  { name: 'series', value: ({ series }) => series },
  { name: 'value', value: ({ value }) => value },
];

const PAGE = 1_000;

type Options = AskOptions & { readonly from?: string; readonly to?: string; readonly limit: number };

/** `holdfast samples ID`: raw samples, oldest first. */
export function defineSamplesCommand(command: Command): void {
  addAskOptions(command)
    .addArgument(new Argument('<id>', 'id of the agent'))
    .option('--from <time>', 'RFC 3339 or epoch ms, inclusive; default: as HQ has it')
    .option('--to <time>', 'RFC 3339 or epoch ms, exclusive; default: now')
    .option('--limit <n>', 'how many samples at most', parseLimit, 100)
    .action(async (id: string, options: Options) => {
      const { from, to, limit, output } = options;
      const query = { from, to, limit: String(Math.min(limit, PAGE)) };
      const items = clientOf(options).items(`/api/v1/agents/${encodeURIComponent(id)}/samples`, query);
      const samples = samplesIn(items, limit);
      if (output === 'csv') await printRows(output, VALUE_COLUMNS, valuesOf(samples));
      else await printRows(output, COLUMNS, samples);
    });
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1)
    throw new InvalidArgumentError('expected a whole number from 1 on');
  return limit;
}

async function* samplesIn(items: AsyncIterable<unknown>, limit: number): AsyncGenerator<Sample, void> {
  let left = limit;
  for await (const item of items) {
    yield known(sampleSchema, item);
    left -= 1;
    if (left === 0) return;
  }
}

async function* valuesOf(samples: AsyncIterable<Sample>): AsyncGenerator<Value, void> {
  for await (const sample of samples)
    for (const [series, value] of Object.entries(sample.values)) yield { ...sample, series, value };
}
