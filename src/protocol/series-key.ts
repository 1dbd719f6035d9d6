/**
 * The one text that stands for a series, everywhere: the API, addresses, episodes of anomalies, the dashboard.
 *
 *     name{key=value,key=value}      attributes by key, in the order of UTF-16 code units; none: the bare name
 *
 * A backslash stands before each `\ { } , =` within a name, key or value, so that two different series never have one
 * text. Ordinary names have none of these.
 */
import type { Series } from './sample.ts';

const SPECIAL = /[\\{},=]/g;
const ESCAPED = /\\([\\{},=])/g;

const escaped = (text: string): string => text.replace(SPECIAL, '\\$&');

/** `system.network.io{device=eth0,direction=receive}`. */
export function seriesKey({ name, attributes }: Pick<Series, 'name' | 'attributes'>): string {
  const keys = Object.keys(attributes).sort();
  if (keys.length === 0) return escaped(name);
  const pairs = keys.map((key) => `${escaped(key)}=${escaped(attributes[key] ?? '')}`);
  return `${escaped(name)}{${pairs.join(',')}}`;
}

/** The name of the series that a key is of. */
export function nameOfKey(key: string): string {
  const name = /^(?:\\.|[^\\{])*/su.exec(key)?.[0] ?? key;
  return name.replace(ESCAPED, '$1');
}

/** Tells the series of an agent apart: two sources may have one of the same key. */
export function sourceSeriesKey(source: string, series: string): string {
  return `${source}\0${series}`;
}
