/** Turns the body of `POST /telemetry` into samples by agent, all or nothing. */
import type { Sample } from '../../../protocol/sample.ts';
import { fieldErrors, fieldName } from '../../http/field-errors.ts';
import { type FieldError, MAX_FIELD_ERRORS, Problem } from '../../http/problem.ts';
import type { SampleBuilder } from './sample-builder.ts';
import { parseRecord, type TelemetryRecord } from './telemetry-record.ts';

export type SamplesByAgent = ReadonlyMap<string, readonly Sample[]>;

export type ReadBody = {
  readonly samples: SamplesByAgent;
  /** Records that have expired, and are in no sample. */
  readonly expired: number;
  /** Of every record, in their order; null where one has none. */
  readonly messageIds: readonly string[] | null;
};

export type ReadRecordsOptions = {
  readonly builder: SampleBuilder;
  /** HQ's monotonic time of arrival, ms. */
  readonly mono: number;
  /** The latest time that a sample may have. */
  readonly latestTs: number;
  readonly maxRecords: number;
  /** HQ's wall time, ms: what expires by then is not stored. */
  readonly now: number;
};

/** Records between two yields. */
const STRIDE = 50;

/**
 * Yields now and then, so that a large body need not be read at a stretch. Throws a Problem that names the fields that
 * are wrong.
 */
export function* readRecords(body: unknown, options: ReadRecordsOptions): Generator<void, ReadBody> {
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
  const ids = new Set<string>();
  let expired = 0;
  let unnamed = 0;
  const errors: FieldError[] = [];
  for (const [index, raw] of records.entries()) {
    if (errors.length >= MAX_FIELD_ERRORS) break;
    if (index % STRIDE === STRIDE - 1) yield;
    const read = readRecord(raw, options);
    if (!read.ok) {
      errors.push(...fieldErrors(read.issues, isList ? [index] : []));
      continue;
    }
    const { messageId, expiresTs } = read;
    if (messageId !== null && ids.has(messageId)) errors.push(idTwice(isList ? [index] : []));
    if (messageId === null) unnamed += 1;
    else ids.add(messageId);
    if (expiresTs !== null && expiresTs <= options.now) {
      expired += 1;
      continue;
    }
    const ofAgent = samples.get(read.agent);
    if (ofAgent === undefined) samples.set(read.agent, [read.sample]);
    else ofAgent.push(read.sample);
  }
  if (errors.length > 0) throw invalidBody(errors);
  return { samples, expired, messageIds: unnamed > 0 ? null : [...ids] };
}

function idTwice(at: readonly PropertyKey[]): FieldError {
  return { field: fieldName([...at, 'messageId']), message: 'names another record of this delivery, too' };
}

export function invalidBody(errors: readonly FieldError[]): Problem {
  const [first] = errors;
  const detail = first === undefined ? 'invalid body' : `${first.field}: ${first.message}`;
  return new Problem('invalid', detail, { errors });
}

type ReadRecord =
  | ({ readonly ok: true; readonly sample: Sample } & Pick<
      TelemetryRecord,
      'agent' | 'messageId' | 'expiresTs'
    >)
  | { readonly ok: false; readonly issues: Parameters<typeof fieldErrors>[0] };

function readRecord(raw: unknown, { builder, mono, latestTs }: ReadRecordsOptions): ReadRecord {
  const parsed = parseRecord(raw, latestTs);
  if (!parsed.ok) return parsed;
  const built = builder.build(parsed.record, mono);
  const { agent, messageId, expiresTs } = parsed.record;
  if (built.ok) return { ok: true, agent, messageId, expiresTs, sample: built.sample };
  const message = `holds ${built.twice} twice`;
  return { ok: false, issues: [{ code: 'custom', path: ['metrics'], message, input: undefined }] };
}
