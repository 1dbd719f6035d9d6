import { type InternedSchema, type SchemaRef, schemaSchema } from '../protocol/sample.ts';
import { internSchema } from '../protocol/schema-ref.ts';
import type { Reader } from '../storage/storage.ts';
import { ALL_SCHEMAS } from './keys.ts';

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

function parseSchema(value: Uint8Array): InternedSchema | null {
  try {
    return internSchema(schemaSchema.parse(JSON.parse(Buffer.from(value).toString())));
  } catch {
    return null;
  }
}
