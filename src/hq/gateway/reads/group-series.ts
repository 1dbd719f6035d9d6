/** Which series of which agents an answer counts together. */
import { z } from 'zod';
import type { Labels } from '../../../protocol/labels.ts';
import { Problem } from '../../http/problem.ts';
import type { CountedSeries } from '../../store/store.ts';
import { listOf } from '../parameters.ts';
import type { RowHead } from './bucket-text.ts';

/** A series that was asked for, and found. */
export type MatchedSeries = {
  readonly agent: string;
  readonly source: string;
  readonly series: string;
  readonly unit: string;
};

/** What rows are told apart by, in their order; `label`: by its value. */
export type Grouping = readonly ('agent' | 'source' | 'series' | { readonly label: string })[];

const FIELDS = ['agent', 'source', 'series'] as const;
const BY =
  'must be agent, source, series, label:NAME (such as label:site), several of them with commas between, or all';
const labelOf = (text: string): string | undefined =>
  /^label:([A-Za-z][A-Za-z0-9._-]{0,62})$/.exec(text)?.[1];

export const groupingSchema = z.object({
  by: z
    .union([z.string(), z.array(z.string()).max(40)], { error: BY })
    .optional()
    .transform((given, context): Grouping => {
      if (given === undefined) return FIELDS;
      const names = [...new Set(listOf(given).flatMap((text) => text.split(',')))];
      if (names.length === 1 && names[0] === 'all') return [];
      const grouping = names.flatMap((text) => {
        const field = FIELDS.find((one) => one === text);
        const label = labelOf(text);
        return field ?? (label === undefined ? [] : { label });
      });
      if (grouping.length === names.length) return grouping;
      context.addIssue({ code: 'custom', message: BY });
      return z.NEVER;
    })
    .describe(
      'what rows are told apart by: agent, source, series, label:NAME, with commas between them or repeated; all: one row for everything. Default: agent, source, series',
    ),
});

export type GroupOptions = {
  readonly labelsOf: (agent: string) => Labels;
  /** Whether labels are fields of their own, as in CSV, or in one field. */
  readonly isFlat: boolean;
};

export type GroupedSeries = {
  readonly heads: readonly RowHead[];
  readonly columns: readonly string[];
  readonly series: readonly CountedSeries[];
};

type Row = {
  readonly values: readonly (string | null)[];
  readonly unit: string;
  readonly members: MatchedSeries[];
};

/** Throws a Problem when series of different units would be counted together. */
export function groupSeries(
  matches: readonly MatchedSeries[],
  grouping: Grouping,
  { labelsOf, isFlat }: GroupOptions,
): GroupedSeries {
  const rows = new Map<string, Row>();
  for (const match of matches) {
    const values = grouping.map((by) =>
      typeof by === 'string' ? match[by] : labelValueOf(labelsOf(match.agent), by.label),
    );
    const name = JSON.stringify(values);
    const row = rows.get(name) ?? { values, unit: match.unit, members: [] };
    if (row.unit !== match.unit) throw unlike(row.members[0] ?? match, match);
    row.members.push(match);
    rows.set(name, row);
  }
  const ordered = [...rows.values()].sort((one, other) => compare(one.values, other.values));
  const names = grouping.map((by) => (typeof by === 'string' ? by : `label:${by.label}`));
  return {
    heads: ordered.map((row) => headOf(row, grouping, isFlat)),
    columns: [...names, 'unit', 'members'],
    series: ordered.flatMap(({ members }, row) =>
      members.map(({ agent, source, series }) => ({ agent, source, series, row })),
    ),
  };
}

const labelValueOf = (labels: Labels, name: string): string | null =>
  Object.hasOwn(labels, name) ? (labels[name] ?? null) : null;

function headOf({ values, unit, members }: Row, grouping: Grouping, isFlat: boolean): RowHead {
  const fields: [string, string | null][] = [];
  const labels: [string, string | null][] = [];
  for (const [index, by] of grouping.entries()) {
    const value = values[index] ?? null;
    if (typeof by === 'string') fields.push([by, value]);
    else if (isFlat) fields.push([`label:${by.label}`, value]);
    else labels.push([by.label, value]);
  }
  return {
    ...Object.fromEntries(fields),
    ...(labels.length > 0 && { labels: Object.fromEntries(labels) }),
    unit,
    members: members.length,
  };
}

/** By code unit; who has no value comes last. */
function compare(one: readonly (string | null)[], other: readonly (string | null)[]): number {
  for (const [index, value] of one.entries()) {
    const against = other[index] ?? null;
    if (value === against) continue;
    if (value === null || against === null) return value === null ? 1 : -1;
    return value < against ? -1 : 1;
  }
  return 0;
}

function unlike(one: MatchedSeries, other: MatchedSeries): Problem {
  const name = ({ agent, source, series, unit }: MatchedSeries) =>
    `"${series}" of ${agent} (source ${source}) in "${unit}"`;
  const message = `would count together ${name(one)} and ${name(other)}: tell rows apart by series or source as well, or ask for fewer series`;
  return new Problem('bad_request', `by: ${message}`, { errors: [{ field: 'by', message }] });
}
