/** The series of an agent, each once per source, over all of its schemas. */
import type { SeriesDocument } from '../../protocol/api.ts';
import type { SchemaRef } from '../../protocol/sample.ts';
import { sourceSeriesKey } from '../../protocol/series-key.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';

/** Series between two yields. */
const STRIDE = 500;

/** `spans`: first and last sample time of each schema. A reboot gives a source a new schema with the same series. */
export function* seriesDocuments(
  schemas: SchemaCatalogue,
  agent: string,
  spans: ReadonlyMap<SchemaRef, readonly [first: number, last: number]>,
): Generator<void, readonly SeriesDocument[]> {
  const documents = new Map<string, SeriesDocument>();
  for (const schema of schemas.all(agent).values()) {
    const [firstTs, lastTs] = spans.get(schema.ref) ?? [null, null];
    const keys = schemas.keys(schema);
    for (const [at, one] of schema.series.entries()) {
      if (at % STRIDE === STRIDE - 1) yield;
      const series = keys[at] ?? '';
      const key = sourceSeriesKey(schema.source, series);
      const known = documents.get(key);
      documents.set(key, {
        series,
        name: one.name,
        attributes: one.attributes,
        unit: one.unit,
        source: schema.source,
        firstTs: pick(Math.min, known?.firstTs, firstTs),
        lastTs: pick(Math.max, known?.lastTs, lastTs),
      });
    }
  }
  yield;
  return [...documents.values()].sort((a, b) => (a.series < b.series ? -1 : a.series > b.series ? 1 : 0));
}

function pick(
  choose: (a: number, b: number) => number,
  a: number | null | undefined,
  b: number | null,
): number | null {
  if (a === null || a === undefined) return b;
  return b === null ? a : choose(a, b);
}
