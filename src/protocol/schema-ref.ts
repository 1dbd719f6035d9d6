/** Text form of series and content addresses of schemas. */
import { createHash } from 'node:crypto';
import type { InternedSchema, Schema, SchemaRef, Series } from './sample.ts';

/** `system.network.io{device=eth0,direction=receive}`; attributes sorted by key, none: the bare name. */
export function seriesKey(series: Pick<Series, 'name' | 'attributes'>): string {
  const keys = Object.keys(series.attributes).sort();
  if (keys.length === 0) return series.name;
  return `${series.name}{${keys.map((key) => `${key}=${series.attributes[key]}`).join(',')}}`;
}

/** Tells the series of an agent apart: two sources may have one of the same key. */
export function sourceSeriesKey(source: string, series: string): string {
  return `${source}\0${series}`;
}

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
