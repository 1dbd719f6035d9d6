/**
 * Earlier versions of the records of `POST /telemetry`: each is validated by its own schema and turned into the latest.
 *
 *     v1beta1   {schemaVersion, node_id, timestamp: seconds, …metrics at the top level}
 *     v1beta2   {schemaVersion, agent, ts: epoch ms or RFC 3339, values: {name: number}}
 */
import { z } from 'zod';
import { cutToMs } from '../../../protocol/whole-ms.ts';
import { isWrittenTs } from '../../../protocol/written-time.ts';
import { unlessInexact } from '../../http/exact-json.ts';
import { parseRfc3339 } from '../../http/instant.ts';
import {
  ENVELOPE_NAMES,
  envelopeFields,
  isSchemaVersion,
  LATEST_VERSION,
  type SchemaVersion,
  unknownVersion,
} from './envelope.ts';

type Path = readonly PropertyKey[];
type Issue = { readonly path: Path; readonly message: string };

/** `isUnion`: what is wrong lies within. */
type Origin = (path: Path, isUnion: boolean) => PropertyKey[];

/** A record of the latest version, and where each of its fields was in the one that came. */
export type Migrated =
  | { readonly ok: true; readonly record: unknown; readonly origin: Origin }
  | { readonly ok: false; readonly issues: readonly Issue[] };

const SECONDS = 'must be a number of seconds since 1970, not of ms';
const v1beta1Schema = z
  .looseObject({
    schemaVersion: z.literal('v1beta1'),
    node_id: z.unknown().describe('id of the agent'),
    timestamp: z
      .number({ error: unlessInexact(SECONDS) })
      .transform((seconds, context) => {
        const ms = cutToMs(seconds * 1000);
        if (isWrittenTs(ms)) return new Date(ms).toISOString();
        context.addIssue({ code: 'custom', message: SECONDS });
        return z.NEVER;
      })
      .describe('seconds since 1970'),
    ...envelopeFields,
  })
  .meta({
    id: 'TelemetryRecordV1beta1',
    description: 'Each further member is a metric: a number or null. Turned into v1.',
  });

const MILLIS = 'must be an RFC 3339 time such as 2026-01-31T12:00:00Z, or epoch ms';
const v1beta2Schema = z
  .object({
    schemaVersion: z.literal('v1beta2'),
    agent: z.unknown().describe('id of the agent'),
    ts: z
      .union([z.string(), z.number()], { error: unlessInexact(MILLIS) })
      .transform((value, context) => {
        const ms = typeof value === 'string' ? parseRfc3339(value) : cutToMs(value);
        if (ms !== null && isWrittenTs(ms)) return new Date(ms).toISOString();
        context.addIssue({ code: 'custom', message: MILLIS });
        return z.NEVER;
      })
      .describe('RFC 3339, or epoch ms'),
    values: z
      .record(z.string(), z.unknown(), { error: 'must be an object {name: number}' })
      .describe('a number or null by metric name'),
    ...envelopeFields,
  })
  .meta({
    id: 'TelemetryRecordV1beta2',
    description: 'Values by metric name. Unknown fields are ignored. Turned into v1.',
  });

/** Of the versions before the latest, for the API document. */
export const earlierVersionSchemas = [v1beta1Schema, v1beta2Schema] as const;

const migrations: Readonly<Record<SchemaVersion, (raw: object) => Migrated>> = {
  v1beta1: (raw) => {
    const parsed = v1beta1Schema.safeParse(raw);
    if (!parsed.success) return refused(parsed.error);
    const { timestamp, node_id: agent } = parsed.data;
    const own = new Set([...ENVELOPE_NAMES, 'node_id', 'timestamp']);
    const metrics = Object.fromEntries(Object.entries(raw).filter(([name]) => !own.has(name)));
    return migrated(
      { ...envelopeOf(raw), agent, timestamp, metrics },
      'values stand at the top level',
      (path) => (path[0] === 'agent' ? ['node_id'] : path[0] === 'metrics' ? path.slice(1) : [...path]),
    );
  },
  v1beta2: (raw) => {
    const parsed = v1beta2Schema.safeParse(raw);
    if (!parsed.success) return refused(parsed.error);
    const { ts: timestamp, agent, values: metrics } = parsed.data;
    return migrated({ ...envelopeOf(raw), agent, timestamp, metrics }, 'values have no units', (path) =>
      path[0] === 'timestamp' ? ['ts'] : path[0] === 'metrics' ? ['values', ...path.slice(1)] : [...path],
    );
  },
  v1: (raw) => asItIs(raw),
};

/** The record as one of the latest version. What is no object is left for that to refuse. */
export function toLatest(raw: unknown): Migrated {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return asItIs(raw);
  const version = Object.hasOwn(raw, 'schemaVersion') ? Reflect.get(raw, 'schemaVersion') : LATEST_VERSION;
  if (isSchemaVersion(version)) return migrations[version](raw);
  return { ok: false, issues: [{ path: ['schemaVersion'], message: unknownVersion(version) }] };
}

const asItIs = (record: unknown): Migrated => ({ ok: true, record, origin: (path) => [...path] });
const refused = (error: z.ZodError): Migrated => ({ ok: false, issues: error.issues });

/** As they came: the latest version reads them. */
function envelopeOf(raw: object): object {
  return Object.fromEntries(
    Object.entries(raw).filter(([name]) => ENVELOPE_NAMES.includes(name) && name !== 'schemaVersion'),
  );
}

function migrated(
  record: object & {
    readonly metrics: Readonly<Record<string, unknown>>;
    readonly agent: unknown;
    readonly timestamp: string;
  },
  flat: string,
  originOf: (path: Path) => PropertyKey[],
): Migrated {
  const origin: Origin = (path, isUnion) => {
    const found = originOf(path);
    return found.length === 0 && !isUnion ? ['metrics'] : found;
  };
  const objects = Object.entries(record.metrics).filter(
    ([, value]) => typeof value === 'object' && value !== null,
  );
  if (objects.length === 0) return { ok: true, record, origin };
  return {
    ok: false,
    issues: objects.map(([name]) => ({
      path: origin(['metrics', name], false),
      message: `must be a number or null: in this version ${flat}`,
    })),
  };
}
