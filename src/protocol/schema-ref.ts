/** Content addresses of schemas. */
import { createHash } from 'node:crypto';
import type { InternedSchema, Schema, SchemaRef } from './sample.ts';

/** The text that is hashed: JSON of `[source, boot, [[name, [[key, value]…], unit]…]]`, attributes sorted by key. */
export function canonicalSchemaText(schema: Schema): string {
  const series = schema.series.map((one) => [
    one.name,
    Object.keys(one.attributes)
      .sort()
      .map((key) => [key, one.attributes[key]]),
    one.unit,
  ]);
  return JSON.stringify([schema.source, schema.boot, series]);
}

export function schemaRefOf(schema: Schema): SchemaRef {
  return createHash('sha256').update(canonicalSchemaText(schema)).digest('hex').slice(0, 12);
}

/** The schema with its ref, frozen; keep the result, a ref costs a hash. */
export function internSchema(schema: Schema): InternedSchema {
  return Object.freeze({ ...schema, ref: schemaRefOf(schema) });
}
