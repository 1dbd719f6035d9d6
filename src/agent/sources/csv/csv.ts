/**
 * Source `csv`: replays a CSV file. Each good row gives exactly one sample, in file order, with values exactly as
 * `Number()` reads their text; blank cells (and `NA`, `null`, `-`) are missing values. Bad rows are counted and
 * skipped.
 *
 * Time: at full speed samples keep the times of their rows (`ts=row`), since they are a recording; at 1x and multiples
 * they carry the time at which they are replayed (`ts=now`), as if measured now. `ts=` chooses. In a loop with `ts=row`
 * each pass continues where the last one ended.
 *
 * Memory: one chunk of 128 KiB, one block of rows, and at most one record. At full speed the file is read only while
 * the pipeline has room, so it never runs ahead of the journal. After a failure the replay begins again at the top of
 * the file.
 */
import { z } from 'zod';
import { flagOption, nameOption } from '../option.ts';
import type { Source, SourceEnv } from '../source.ts';
import { sourceKind } from '../source-kind.ts';
import { replayCsv } from './replay.ts';

const speedOption = z.preprocess(
  (value) => {
    if (typeof value !== 'string') return value;
    if (value === 'max') return 'max';
    const match = /^(\d+(?:\.\d+)?)x?$/.exec(value);
    return match === null ? value : Number(match[1]);
  },
  z.union([z.literal('max'), z.number().positive().max(1e9)], {
    error: 'expected `max` or a factor such as `1x` or `2.5x`',
  }),
);

const csvSpecSchema = z.strictObject({
  kind: z.literal('csv'),
  name: nameOption,
  path: z.string({ error: 'the path of the file is missing' }).min(1).describe('the file'),
  speed: speedOption
    .default(1)
    .describe('`max`: as fast as the journal takes it; `1x`, `2.5x`: in the rhythm of the time column'),
  loop: flagOption.default(false).describe('begin again at the end of the file'),
  time: z.string().min(1).optional().describe('the time column; default: found by its name'),
  ts: z
    .enum(['row', 'now'])
    .optional()
    .describe(
      "times of samples: the rows' own or those of the replay; default: `row` at full speed, else `now`",
    ),
  delimiter: z
    .preprocess((value) => (value === 'tab' ? '\t' : value === 'comma' ? ',' : value), z.string().length(1))
    .optional()
    .describe('one character, `tab` or `comma`; default: found in the header'),
});
export type CsvSpec = z.infer<typeof csvSpecSchema>;

export const csvSource = sourceKind({
  schema: csvSpecSchema,
  what:
    'replays a file whose first line names the columns: one the time (`timestamp`, `ts`, `datetime`, `time` or `date`, ' +
    'unless `time=` names another), each other a series, with attributes when it is written `name{key=value}`',
  example: 'csv:path="/data/run 7, cleaned.csv",speed=max',
  create: createCsvSource,
});

function createCsvSource(spec: CsvSpec, name: string, env: SourceEnv): Source {
  const ts = spec.ts ?? (spec.speed === 'max' ? 'row' : 'now');
  return {
    name,
    time: ts === 'row' ? 'recorded' : 'clock',
    samples: (demand$) => replayCsv({ ...spec, ts, source: name }, demand$, env),
    traits: () => ({}),
  };
}
