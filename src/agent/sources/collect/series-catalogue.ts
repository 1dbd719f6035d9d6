import { legalName } from '../../../protocol/legal-name.ts';
import type { Series } from '../../../protocol/sample.ts';

/** Gives the same Series object for the same name and attributes, so that unchanged lists can be told by identity. */
export type SeriesCatalogue = (
  name: string,
  unit: string,
  attributes?: Readonly<Record<string, string>>,
) => Series;

export function createSeriesCatalogue(): SeriesCatalogue {
  const catalogue = new Map<string, Series>();
  return (name, unit, attributes = {}) => {
    // Cheaper than the public key, which sorts and escapes: every collector names its attributes in one order.
    let key = name;
    for (const attribute in attributes) key += `\0${attribute}\0${attributes[attribute]}`;
    const known = catalogue.get(key);
    if (known !== undefined) return known;
    const series = { name, unit, attributes: legalValues(attributes) };
    catalogue.set(key, series);
    return series;
  };
}

/** Device names and mount points can have any characters. */
function legalValues(attributes: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, legalName(value, 256)]));
}
