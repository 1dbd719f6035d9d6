/** Runs the table of rules over the samples of one source, across changes of its schema. */
import type { Diagnostic, InternedSchema } from '../../../protocol/sample.ts';
import { seriesKey } from '../../../protocol/series-key.ts';
import type { Limits, RawBlock } from '../../sources/source.ts';
import { createEpisode, type Episode } from './episode.ts';
import type { SampleContext, SampleRule, SampleRuleOptions, SeriesCheck, SeriesRule } from './rule.ts';
import { bufferDegraded } from './rules/buffer-degraded.ts';
import { clockJump } from './rules/clock-jump.ts';
import { outOfRange } from './rules/out-of-range.ts';
import { railHigh } from './rules/rail-high.ts';
import { railLow } from './rules/rail-low.ts';
import { stale } from './rules/stale.ts';
import { stuck } from './rules/stuck.ts';

const SERIES_RULES: readonly SeriesRule[] = [railLow, railHigh, outOfRange, stuck, stale];
const SAMPLE_RULES: readonly SampleRule[] = [clockJump, bufferDegraded];

/** The conditions that begin with this sample; each is reported once an episode. */
export type Diagnose = {
  readonly sample: (
    schema: InternedSchema,
    values: readonly (number | null)[],
    context: SampleContext,
  ) => readonly Diagnostic[];
  /** The same for each row of a block, in their order. */
  readonly block: (
    block: RawBlock,
    bufferTrouble: string | null,
    report: (row: number, diagnostic: Diagnostic) => void,
  ) => void;
};

type Watch = { readonly rule: SeriesRule; readonly check: SeriesCheck; readonly begins: Episode };
const NONE: readonly Diagnostic[] = [];
const NO_WATCHES: readonly Watch[] = [];

/**
 * @param limitsOf called once a series
 */
export function createDiagnose(
  options: SampleRuleOptions,
  limitsOf: (schema: InternedSchema, index: number) => Limits,
): Diagnose {
  const whole = SAMPLE_RULES.flatMap((rule) => {
    const check = rule.create(options);
    return check === null ? [] : [{ rule, check, begins: createEpisode(rule.clearAfter) }];
  });
  let current: InternedSchema | null = null;
  /** Indices of series that any rule watches, and their watches. */
  let watched: readonly { readonly index: number; readonly watches: readonly Watch[] }[] = [];
  let byKey = new Map<string, readonly Watch[]>();

  const adopt = (schema: InternedSchema) => {
    const known = byKey;
    byKey = new Map();
    watched = schema.series
      .map((series, index) => {
        const key = seriesKey(series);
        const watches = known.get(key) ?? watchesFor(limitsOf(schema, index));
        byKey.set(key, watches);
        return { index, watches };
      })
      .filter(({ watches }) => watches.length > 0);
    current = schema;
  };

  const judge = (
    context: SampleContext,
    valueAt: (index: number) => number | null,
    report: (diagnostic: Diagnostic) => void,
  ) => {
    for (const { rule, check, begins } of whole) {
      if (!begins(check.holds(context))) continue;
      report({ code: rule.code, severity: rule.severity, series: null, detail: check.detail(context) });
    }
    for (const { index, watches } of watched) {
      const value = valueAt(index);
      for (const { rule, check, begins } of watches) {
        if (!begins(check.holds(value, context.mono))) continue;
        report({ code: rule.code, severity: rule.severity, series: index, detail: check.detail(value) });
      }
    }
  };

  return {
    sample: (schema, values, context) => {
      if (schema !== current) adopt(schema);
      let found: Diagnostic[] | null = null;
      judge(
        context,
        (index) => values[index] ?? null,
        (diagnostic) => {
          found ??= [];
          found.push(diagnostic);
        },
      );
      return found ?? NONE;
    },
    block: ({ schema, ts, mono, columns }, bufferTrouble, report) => {
      if (schema !== current) adopt(schema);
      let row = 0;
      const valueAt = (index: number) => {
        const column = columns[index];
        if (column === undefined || column.present?.[row] === 0) return null;
        return column.values[row] ?? null;
      };
      const reportRow = (diagnostic: Diagnostic) => report(row, diagnostic);
      for (; row < ts.length; row += 1) {
        const context = { ts: ts[row] as number, mono: mono[row] as number, bufferTrouble };
        judge(context, valueAt, reportRow);
      }
    },
  };
}

function watchesFor(limits: Limits): readonly Watch[] {
  const watches = SERIES_RULES.flatMap((rule) => {
    const check = rule.create(limits);
    return check === null ? [] : [{ rule, check, begins: createEpisode(rule.clearAfter) }];
  });
  return watches.length === 0 ? NO_WATCHES : watches;
}
