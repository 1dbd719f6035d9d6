/** The series that a row of one value is of: the metric's name, and an attribute for each other cell that is filled. */
import { legalName } from '../../../../protocol/legal-name.ts';
import type { Series } from '../../../../protocol/sample.ts';
import { seriesKey } from '../../../../protocol/series-key.ts';
import type { LongHeader } from './long-header.ts';

export type RowSeries = { readonly key: string; readonly series: Series };

/** Series that are known by their cells; beyond, all are made again. */
const MAX_KNOWN = 20_000;
/** `name="value"`, as Prometheus writes labels. */
const LABEL = /([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"/gs;

/** `labels`: which labels of the raw ones are attributes. Null: the row names no metric. */
export function createRowSeries(
  header: LongHeader,
  labels: readonly string[],
): (cells: readonly string[]) => RowSeries | null {
  const { nameIndex, labelsIndex, attributes } = header;
  const known = new Map<string, RowSeries>();
  const wanted = new Set(labels);
  return (cells) => {
    const name = (cells[nameIndex] ?? '').trim();
    if (name === '') return null;
    const raw = labelsIndex === null ? '' : (cells[labelsIndex] ?? '');
    const found = wanted.size === 0 ? [] : labelsIn(raw, wanted);
    // Each with its length: a cell can hold whatever would stand between two.
    let id = measured(name);
    for (const { index } of attributes) id += measured(cells[index] ?? '');
    for (const [label, value] of found) id += measured(label) + measured(value);
    const before = known.get(id);
    if (before !== undefined) return before;
    const series = {
      name: legalName(name, 128),
      attributes: attributesOf(header, cells, found),
      unit: '',
    };
    if (known.size >= MAX_KNOWN) known.clear();
    const made = { key: seriesKey(series), series };
    known.set(id, made);
    return made;
  };
}

function measured(text: string): string {
  return `${text.length} ${text}`;
}

function attributesOf(
  { attributes }: LongHeader,
  cells: readonly string[],
  labels: readonly (readonly [string, string])[],
): Record<string, string> {
  const all: Record<string, string> = {};
  for (const { index, key } of attributes) {
    const text = (cells[index] ?? '').trim();
    if (text !== '') all[key] = legalName(text, 256);
  }
  for (const [label, value] of labels) if (!Object.hasOwn(all, label)) all[label] = legalName(value, 256);
  return all;
}

function labelsIn(raw: string, wanted: ReadonlySet<string>): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (const [, label = '', value = ''] of raw.matchAll(LABEL))
    if (wanted.has(label) && value !== '') found.push([label, value.replaceAll(/\\(.)/gs, '$1')]);
  return found;
}
