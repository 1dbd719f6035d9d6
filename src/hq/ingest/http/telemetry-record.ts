/** A record of `POST /telemetry`: the metrics of one source of one agent at one instant. */
import { z } from 'zod';
import { legalNames, MAX_ATTRIBUTES } from '../../../protocol/legal-text.ts';
import { agentIdSchema, MAX_SERIES_PER_SCHEMA, type Series } from '../../../protocol/sample.ts';
import { unlessInexact } from '../../http/exact-json.ts';
import { aheadOfClock } from './clock-check.ts';
import { envelopeFields, LATEST_VERSION } from './envelope.ts';
import { earlierVersionSchemas, toLatest } from './schema-versions.ts';
import { timestampSchema } from './timestamp.ts';

const { name, attributes, unit: unitText, source } = legalNames;
const unit = unitText.describe('UCUM unit: By, s, 1, Cel, {process}');

const SPECIAL = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
  '-0': -0,
} as const;
const value = z
  .union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity', '-0']), z.null()], {
    error: unlessInexact('must be a number, null, "NaN", "Infinity", "-Infinity" or "-0"'),
  })
  .transform((given) => (typeof given === 'string' ? SPECIAL[given] : given));

const detail = z.object({ value, unit: unit.optional(), attributes: attributes.optional() });
const metricsSchema = z.union(
  [
    z.record(
      name,
      z.union([detail, value], {
        error: unlessInexact('must be a number, null or {value, unit, attributes}'),
      }),
    ),
    z.array(detail.extend({ name })),
  ],
  { error: 'must be an object {name: value} or an array [{name, value, unit, attributes}]' },
);

export const telemetryRecordSchema = z
  .object({
    agent: agentIdSchema.describe('id of the agent; may also be called `node_id`'),
    timestamp: timestampSchema.describe('may also be called `ts`'),
    source: source.default('http').describe('what measured it'),
    attributes: attributes.default({}).describe('attributes of every metric of the record'),
    schemaVersion: z
      .literal(LATEST_VERSION)
      .optional()
      .describe('which form the record has; records of earlier versions are turned into this one'),
    ...envelopeFields,
    metrics: metricsSchema.describe(
      'values by metric name, or a list of metrics with unit and attributes; may also be called `values`',
    ),
  })
  .meta({
    id: 'TelemetryRecord',
    description: 'Metrics of one source at one instant. Unknown fields are ignored.',
    examples: [
      {
        agent: 'pump-7',
        timestamp: '2026-01-31T12:00:00Z',
        metrics: { 'pump.pressure': { value: 3.2, unit: 'bar' } },
      },
    ],
  });

/** One record, or up to `limits.recordsPerRequest` of them. */
const anyRecordSchema = z.union([telemetryRecordSchema, ...earlierVersionSchemas]);
export const telemetryBodySchema = z.union([anyRecordSchema, z.array(anyRecordSchema)]);

/** Other names of fields, by which they are looked for where the field itself is missing. */
export const RECORD_ALIASES: Readonly<Record<string, string>> = {
  node_id: 'agent',
  ts: 'timestamp',
  values: 'metrics',
};

export type TelemetryRecord = {
  readonly agent: string;
  readonly ts: number;
  readonly source: string;
  readonly metrics: readonly { readonly series: Series; readonly value: number | null }[];
  readonly messageId: string | null;
  /** Epoch ms; null: never. */
  readonly expiresTs: number | null;
};
export type ParsedRecord =
  | { readonly ok: true; readonly record: TelemetryRecord }
  | { readonly ok: false; readonly issues: readonly z.core.$ZodIssue[] };

/**
 * Parses one record; fields of issues are called what the record called them. `latestTs`: beyond it a time is refused.
 */
export function parseRecord(raw: unknown, latestTs: number): ParsedRecord {
  const latest = toLatest(raw);
  if (!latest.ok) {
    const issues = latest.issues.map(({ path, message }) => issueOf([...path], message));
    return { ok: false, issues };
  }
  const parsed = parseLatest(latest.record, latestTs);
  if (parsed.ok) return parsed;
  return {
    ok: false,
    issues: parsed.issues.map((issue) => ({
      ...issue,
      path: latest.origin(issue.path, issue.code === 'invalid_union'),
    })),
  };
}

const issueOf = (path: PropertyKey[], message: string) => ({
  ...{ code: 'custom' as const, path, message, input: undefined },
});

function parseLatest(raw: unknown, latestTs: number): ParsedRecord {
  const { renamed, names, twice } = canonical(raw);
  if (twice.length > 0) {
    const issues = twice.map(([alias, field]) => {
      const message = `is another name of \`${field}\`, which the record has, too: give one of them`;
      return { code: 'custom' as const, path: [alias], message, input: undefined };
    });
    return { ok: false, issues };
  }
  const parsed = telemetryRecordSchema.safeParse(renamed);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => {
      const [head, ...rest] = issue.path;
      return { ...issue, path: head === undefined ? [] : [names.get(String(head)) ?? head, ...rest] };
    });
    return { ok: false, issues };
  }
  const { agent, timestamp, source, attributes: shared, messageId = null, expiresAt = null } = parsed.data;
  const listed = Array.isArray(parsed.data.metrics)
    ? parsed.data.metrics
    : Object.entries(parsed.data.metrics).map(([metric, given]) =>
        typeof given === 'object' && given !== null
          ? { name: metric, ...given }
          : { name: metric, value: given },
      );
  const problem = (message: string, field = 'metrics'): ParsedRecord => ({
    ok: false,
    issues: [{ code: 'custom', path: [names.get(field) ?? field], message, input: undefined }],
  });
  const ahead = aheadOfClock(timestamp, latestTs);
  if (ahead !== null) return problem(ahead, 'timestamp');
  if (listed.length === 0) return problem('must hold at least one metric');
  if (listed.length > MAX_SERIES_PER_SCHEMA)
    return problem(`must hold ${MAX_SERIES_PER_SCHEMA} metrics at most`);
  const metrics = listed.map((metric) => ({
    series: {
      name: metric.name,
      attributes: 'attributes' in metric ? { ...shared, ...metric.attributes } : shared,
      unit: ('unit' in metric ? metric.unit : undefined) ?? '',
    },
    value: metric.value,
  }));
  if (metrics.some(({ series }) => Object.keys(series.attributes).length > MAX_ATTRIBUTES))
    return problem(`must have ${MAX_ATTRIBUTES} attributes each at most, those of the record included`);
  return { ok: true, record: { agent, ts: timestamp, source, metrics, messageId, expiresTs: expiresAt } };
}

/** `names`: what the record called fields; `twice`: other names of fields that it has, too. */
type Canonical = {
  readonly renamed: unknown;
  readonly names: Map<string, string>;
  readonly twice: [alias: string, field: string][];
};

function canonical(raw: unknown): Canonical {
  const names = new Map<string, string>();
  const twice: Canonical['twice'] = [];
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return { renamed: raw, names, twice };
  const renamed: Record<string, unknown> = { ...raw };
  for (const [alias, field] of Object.entries(RECORD_ALIASES)) {
    if (!Object.hasOwn(renamed, alias)) continue;
    if (Object.hasOwn(renamed, field)) twice.push([alias, field]);
    else {
      renamed[field] = renamed[alias];
      names.set(field, alias);
    }
  }
  return { renamed, names, twice };
}
