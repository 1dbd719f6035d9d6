/** Turns the body of `POST /telemetry` into samples by agent, all or nothing. */
import type { Sample } from '../../../protocol/sample.ts';
import { fieldErrors } from '../../http/field-errors.ts';
import { type FieldError, MAX_FIELD_ERRORS, Problem } from '../../http/problem.ts';
import type { SampleBuilder } from './sample-builder.ts';
import { parseRecord } from './telemetry-record.ts';

export type SamplesByAgent = ReadonlyMap<string, readonly Sample[]>;

export type ReadRecordsOptions = {
  readonly builder: SampleBuilder;
  /** HQ's monotonic time of arrival, ms. */
  readonly mono: number;
  /** The latest time that a sample may have. */
  readonly latestTs: number;
  readonly maxRecords: number;
};

/** Records between two yields. */
const STRIDE = 50;

/**
 * Yields now and then, so that a large body need not be read at a stretch. Throws a Problem that names the fields that
 * are wrong.
 */
export function* readRecords(body: unknown, options: ReadRecordsOptions): Generator<void, SamplesByAgent> {
  const isList = Array.isArray(body);
  const records: readonly unknown[] = isList ? body : [body];
  if (records.length === 0) throw invalidBody([{ field: 'body', message: 'holds no record' }]);
  if (records.length > options.maxRecords) {
    throw new Problem(
      'too_large',
      `the body holds ${records.length} records; one request takes ${options.maxRecords} at most (limits.recordsPerRequest)`,
    );
  }
  const samples = new Map<string, Sample[]>();
  const errors: FieldError[] = [];
  for (const [index, raw] of records.entries()) {
    if (errors.length >= MAX_FIELD_ERRORS) break;
    if (index % STRIDE === STRIDE - 1) yield;
    const read = readRecord(raw, options);
    if (!read.ok) {
      errors.push(...fieldErrors(read.issues, isList ? [index] : []));
      continue;
    }
    const ofAgent = samples.get(read.agent);
    if (ofAgent === undefined) samples.set(read.agent, [read.sample]);
    else ofAgent.push(read.sample);
  }
  if (errors.length > 0) throw invalidBody(errors);
  return samples;
}

export function invalidBody(errors: readonly FieldError[]): Problem {
  const [first] = errors;
  const detail = first === undefined ? 'invalid body' : `${first.field}: ${first.message}`;
  return new Problem('invalid', detail, { errors });
}

type ReadRecord =
  | { readonly ok: true; readonly agent: string; readonly sample: Sample }
  | { readonly ok: false; readonly issues: Parameters<typeof fieldErrors>[0] };

function readRecord(raw: unknown, { builder, mono, latestTs }: ReadRecordsOptions): ReadRecord {
  const parsed = parseRecord(raw, latestTs);
  if (!parsed.ok) return parsed;
  const built = builder.build(parsed.record, mono);
  if (built.ok) return { ok: true, agent: parsed.record.agent, sample: built.sample };
  const message = `holds ${built.twice} twice`;
  return { ok: false, issues: [{ code: 'custom', path: ['metrics'], message, input: undefined }] };
}
