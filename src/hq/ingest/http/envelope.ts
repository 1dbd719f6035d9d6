/** What a record says of itself as a message: its version, its id, and until when it is worth anything. */
import { z } from 'zod';
import { timestampSchema } from './timestamp.ts';

/** Versions of records that are taken; each is turned into the last one. */
export const SCHEMA_VERSIONS = ['v1beta1', 'v1beta2', 'v1'] as const;
export type SchemaVersion = (typeof SCHEMA_VERSIONS)[number];
export const LATEST_VERSION = 'v1' satisfies SchemaVersion;

const ULID = 'must be a ULID: 26 characters of Crockford base32, such as 01ARZ3NDEKTSV4RRFFQ69G5FAV';
/** In upper case: ULIDs are the same in either. */
const ulidSchema = z
  .string({ error: ULID })
  .regex(/^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$/, ULID)
  .transform((text) => text.toUpperCase());

export const envelopeFields = {
  messageId: ulidSchema
    .optional()
    .describe(
      'a ULID that names the message: where each record of a delivery has one and there is no `Idempotency-Key`, a repetition is known by them',
    ),
  expiresAt: timestampSchema
    .optional()
    .describe('from then on the record is counted, and not stored; a time as `timestamp`'),
};

/** Names of fields that are no metrics, in records whose metrics stand at the top level. */
export const ENVELOPE_NAMES: readonly string[] = ['schemaVersion', ...Object.keys(envelopeFields)];

export function isSchemaVersion(value: unknown): value is SchemaVersion {
  return SCHEMA_VERSIONS.some((one) => one === value);
}

/** For a `schemaVersion` that is none of them. */
export function unknownVersion(value: unknown): string {
  const given = typeof value === 'string' ? `"${value.slice(0, 40)}"` : 'this';
  return `${given} is no version that HQ takes: ${SCHEMA_VERSIONS.join(', ')}; without the field it is ${LATEST_VERSION}`;
}
