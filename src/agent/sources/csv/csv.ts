/**
 * Source `csv`: replays a CSV file. Each good row gives exactly one sample, in file order, with values exactly as
 * `Number()` reads their text. A cell that says nothing (blank, `NA`, `null`, `-`) or cannot be read costs its own
 * value only; the latter are counted by column. Bad rows are counted and skipped.
 *
 * Time: at full speed samples keep the times of their rows (`ts=row`), since they are a recording; at 1x and multiples
 * they carry the time at which they are replayed (`ts=now`), as if measured now. `ts=` chooses. In a loop with `ts=row`
 * each pass continues where the last one ended. Which forms times have: times/times.ts.
 *
 * Once: how far a replay has come is kept in the journal, in the transaction that stores its samples, so that whatever
 * ends an agent no row is sampled twice and none is left out. A file with other first bytes is another one.
 *
 * Memory: one chunk of 128 KiB, one block of rows, and at most one record. At full speed the file is read only while
 * the pipeline has room, so it never runs ahead of the journal.
 */
import { defer } from 'rxjs';
import { z } from 'zod';
import { flagOption, nameOption, numberOption } from '../option.ts';
import type { Source, SourceEnv } from '../source.ts';
import { sourceKind } from '../source-kind.ts';
import { isEncoding } from './bytes/pieces.ts';
import { createLongReader } from './long/long-rows.ts';
import { decodePosition, type PositionTracker, type ReplayPosition } from './position.ts';
import { replayCsv } from './replay.ts';
import { createCsvReader } from './rows.ts';
import { isZone, timeFormatProblem } from './times/times.ts';

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

const timeFormatOption = z.string().superRefine((format, context) => {
  const message = timeFormatProblem(format);
  if (message !== null) context.addIssue({ code: 'custom', message });
});

const encodingOption = z
  .string()
  .refine(isEncoding, 'expected an encoding such as utf-8, utf-16le, windows-1252 or shift_jis');

const csvSpecSchema = z
  .strictObject({
    kind: z.literal('csv'),
    name: nameOption,
    path: z.string({ error: 'the path of the file is missing' }).min(1).describe('the file'),
    speed: speedOption
      .optional()
      .describe(
        '`max`: as fast as the journal takes it; `1x`, `2.5x`: in the rhythm of the time column; default: `1x`, with ' +
          '`follow` `max`',
      ),
    loop: flagOption.default(false).describe('begin again at the end of the file'),
    follow: flagOption
      .default(false)
      .describe('wait for more at the end of the file, and go on with the file that takes its place'),
    resume: flagOption
      .default(true)
      .describe('go on where the last run stopped; `false`: each start begins at the top of the file'),
    layout: z
      .enum(['wide', 'long'])
      .default('wide')
      .describe(
        '`wide`: a column a series. `long`: a row is one value of one series, as in exports of DCGM: rows of one time are ' +
          'one sample, further columns are attributes',
      ),
    metric: z
      .string()
      .min(1)
      .optional()
      .describe(
        'layout `long`: the column that names the metric; default: `metric_name`, `metric` or `name`',
      ),
    value: z.string().min(1).optional().describe('layout `long`: the column of values; default: `value`'),
    labels: z
      .string()
      .default('GPU_I_ID|GPU_I_PROFILE')
      .describe('layout `long`: which labels of a column `labels_raw` are attributes, as `|` between them'),
    time: z.string().min(1).optional().describe('the time column; default: found by its name'),
    date: z
      .string()
      .min(1)
      .optional()
      .describe('the column of dates, where the time column has times of day only; default: `date`'),
    timeFormat: timeFormatOption
      .optional()
      .describe(
        'what the times are: `s`, `ms`, `us` or `ns` since 1970, `excel` (days), `iso`, or a pattern such as ' +
          '`dd/MM/yyyy HH:mm:ss`; default: found out, and refused where it could be one or another',
      ),
    zone: z
      .string()
      .refine(isZone, 'expected a time zone such as Europe/Paris or +02:00')
      .default('UTC')
      .describe('the zone of times that name none, such as `Europe/Paris` or `+02:00`'),
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
    encoding: encodingOption
      .optional()
      .describe('such as `windows-1252`; default: UTF-8, or UTF-16 where the first bytes say so'),
    decimal: z
      .enum(['point', 'comma'])
      .default('point')
      .describe('what stands between whole and fraction; `comma`: `12,5` is a number'),
    missing: z
      .string()
      .optional()
      .describe('words for cells where nothing was measured, beside the usual, such as `ERR|offline`'),
    throttleDepth: numberOption({ min: 1, max: 1e12, integer: true })
      .optional()
      .describe(
        'while the journal holds more samples that HQ has not confirmed, the file is given more slowly; default: it is not',
      ),
    throttleRate: numberOption({ min: 0, max: 1 })
      .default(0.5)
      .describe('share of its usual rate that it keeps then; 0: it waits'),
    skip: numberOption({ min: 0, max: 1_000_000, integer: true })
      .optional()
      .describe('lines before the header; default: found out among the first 30'),
  })
  .refine(
    ({ layout, metric, value }) => layout === 'long' || (metric === undefined && value === undefined),
    'metric and value are for layout=long',
  )
  .refine(({ loop, follow }) => !(loop && follow), 'loop and follow exclude each other');
export type CsvSpec = z.infer<typeof csvSpecSchema>;

export const csvSource = sourceKind({
  schema: csvSpecSchema,
  what:
    'replays a file with a header that names the columns: one the time (`timestamp`, `ts`, `datetime`, `time` or ' +
    '`date`, unless `time=` names another), each other a series, with attributes when it is written `name{key=value}`',
  example: 'csv:path="/data/run 7, cleaned.csv",speed=max',
  create: createCsvSource,
});

function createCsvSource(spec: CsvSpec, name: string, env: SourceEnv): Source {
  const { path, loop, follow, encoding, resume, timeFormat, zone, time, date, delimiter, skip } = spec;
  const { layout, metric, value } = spec;
  const labels = spec.labels
    .split('|')
    .map((one) => one.trim())
    .filter((one) => one !== '');
  // What is written now is wanted now.
  const speed = spec.speed ?? (follow ? 'max' : 1);
  const ts = spec.ts ?? (speed === 'max' ? 'row' : 'now');
  const decimal = spec.decimal === 'comma' ? ',' : '.';
  const missing = new Set(spec.missing?.split('|').map((word) => word.trim().toLowerCase()));
  const reader = {
    time,
    date,
    delimiter,
    skip,
    times: { format: timeFormat, zone, decimal },
    numbers: { decimal, missing },
  } as const;
  const throttle =
    spec.throttleDepth === undefined ? null : { depth: spec.throttleDepth, rate: spec.throttleRate };
  const createReader = () =>
    layout === 'long' ? createLongReader({ ...reader, metric, value, labels }) : createCsvReader(reader);
  /** Of the latest run, and what those before it gave: it is on its way to the journal, or there. */
  let tracker: PositionTracker | null = null;
  let given: ReplayPosition | null = null;
  return {
    name,
    time: ts === 'row' ? 'recorded' : 'clock',
    samples: (demand$) =>
      defer(() => {
        const kept = resume ? (env.position?.(name) ?? null) : null;
        given = tracker?.latest() ?? given;
        const from = given ?? decodePosition(kept);
        const onTracker = (next: PositionTracker) => {
          tracker = next;
        };
        const options = {
          source: name,
          path,
          encoding,
          speed,
          loop,
          follow,
          ts,
          throttle,
          createReader,
          from,
          onTracker,
        };
        return replayCsv(options, demand$, env);
      }),
    traits: () => ({}),
  };
}
