import type { Series } from '../../../protocol/sample.ts';
import { seriesKey } from '../../../protocol/schema-ref.ts';

/** Gives the same Series object for the same name and attributes, so that unchanged lists can be told by identity. */
export type SeriesBook = (
  name: string,
  unit: string,
  attributes?: Readonly<Record<string, string>>,
) => Series;

export function createSeriesBook(): SeriesBook {
  const book = new Map<string, Series>();
  return (name, unit, attributes = {}) => {
    const key = seriesKey({ name, attributes });
    const known = book.get(key);
    if (known !== undefined) return known;
    const series = { name, unit, attributes };
    book.set(key, series);
    return series;
  };
}
