import { parseJsonText } from '../protocol/json-text.ts';
import { type InternedSchema, type SchemaRef, schemaSchema } from '../protocol/sample.ts';
import { internSchema } from '../protocol/schema-ref.ts';
import type { Reader, Storage } from '../storage/storage.ts';
import { ALL_SCHEMAS, schemaKey } from './keys.ts';

const MAX_SCHEMAS_READ = 100_000;

/** The schemas that the journal holds; those that cannot be read are left out. */
export function readSchemas(reader: Reader): Map<SchemaRef, InternedSchema> {
  const schemas = new Map<SchemaRef, InternedSchema>();
  for (const { value } of reader.range({ ...ALL_SCHEMAS, limit: MAX_SCHEMAS_READ })) {
    const schema = parseSchema(value);
    if (schema !== null) schemas.set(schema.ref, schema);
  }
  return schemas;
}

/**
 * Undefined: the journal has no such schema, or it cannot be read. What is not `known` is looked up and noted there: a
 * commit that was reported as failed may have brought it.
 */
export function schemaOf(
  storage: Pick<Storage, 'read'>,
  known: Map<SchemaRef, InternedSchema>,
  ref: SchemaRef,
): InternedSchema | undefined {
  const noted = known.get(ref);
  if (noted !== undefined) return noted;
  const value = storage.read((reader) => reader.get(schemaKey(ref)));
  const schema = value === undefined ? null : parseSchema(value);
  if (schema === null) return undefined;
  known.set(ref, schema);
  return schema;
}

function parseSchema(value: Uint8Array): InternedSchema | null {
  try {
    return internSchema(schemaSchema.parse(parseJsonText(Buffer.from(value).toString())));
  } catch {
    return null;
  }
}
