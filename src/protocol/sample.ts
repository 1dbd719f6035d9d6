/**
 * Samples, series and schemas: the vocabulary that every other part speaks.
 *
 * A schema says once what a source measures; a sample carries only values, in the schema's order.
 */

import { z } from 'zod';
import type { Anomaly } from './anomaly.ts';

/** Attributes of a series, OpenTelemetry style. Keys are sorted when a series is written as text. */
export const attributesSchema = z.record(z.string().min(1).max(64), z.string().max(256));

export const seriesSchema = z.object({
  /** OpenTelemetry metric name, for instance `system.cpu.utilization`. */
  name: z.string().min(1).max(128),
  attributes: attributesSchema,
  /** UCUM unit as OpenTelemetry writes it: `By`, `s`, `1`, `{process}`; empty when unknown. */
  unit: z.string().max(32),
});
export type Series = z.infer<typeof seriesSchema>;

/** Series of one schema at most; each agent is bounded at HQ over all its schemas too. */
export const MAX_SERIES_PER_SCHEMA = 4096;

/**
 * What one source measures during one boot of its machine. `boot` stands here, not in each frame, so that a
 * small live frame stays small; a reboot costs one more schema, sent once.
 */
export const schemaSchema = z.object({
  source: z.string().min(1).max(64),
  /** Id of the machine's boot that `mono` counts from. */
  boot: z.string().min(1).max(64),
  series: z.array(seriesSchema).max(MAX_SERIES_PER_SCHEMA),
});
export type Schema = z.infer<typeof schemaSchema>;

/** A schema with its content address, computed once by {@link file://./schema-ref.ts internSchema}. */
export type InternedSchema = Schema & { readonly ref: SchemaRef };

/** First 6 bytes of the SHA-256 of the canonical schema text, as 12 lower-case hex digits. */
export type SchemaRef = string;

/** Random id of one journal's life: 48 bits as 12 lower-case hex digits. */
export type Epoch = string;
export const epochSchema = z.string().regex(/^[0-9a-f]{12}$/);
export const schemaRefSchema = z.string().regex(/^[0-9a-f]{12}$/);

/** Name of an agent; also a file-system and URL safe key. */
export const agentIdSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'must be letters, digits and . _ -, a letter or digit first, 64 at most',
  );

export type { Anomaly };

export const DIAGNOSTIC_CODES = [
  'rail_low',
  'rail_high',
  'stuck',
  'stale',
  'out_of_range',
  'clock_jump',
  'buffer_degraded',
] as const;
export type DiagnosticCode = (typeof DIAGNOSTIC_CODES)[number];
export const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

export type Diagnostic = {
  readonly code: DiagnosticCode;
  readonly severity: Severity;
  /** Index into the schema's series; null when it concerns the whole sample. */
  readonly series: number | null;
  readonly detail: string;
};

/** All metrics of one source at one instant. */
export type Sample = {
  readonly schema: InternedSchema;
  /** Wall time, integer ms since the Unix epoch, within ±MAX_TS; may jump either way. */
  readonly ts: number;
  /** Monotonic time, integer ms since `schema.boot` began. */
  readonly mono: number;
  /** One value per series of the schema; null where nothing was measured. NaN and infinities are values. */
  readonly values: readonly (number | null)[];
  readonly anomalies: readonly Anomaly[];
  readonly diagnostics: readonly Diagnostic[];
};

/** A sample that has been given its place in an epoch. */
export type SeqSample = { readonly seq: number; readonly sample: Sample };

/** Wall times are within what a Date can hold: ± this, ms. */
export const MAX_TS = 8.64e15;
/** The text of a diagnostic, in UTF-8. */
export const MAX_DETAIL_BYTES = 4096;

/** Highest seq that the format carries: 2^48 − 1. */
export const MAX_SEQ = 2 ** 48 - 1;
