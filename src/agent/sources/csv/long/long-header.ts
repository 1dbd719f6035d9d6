/** What the header of a CSV file with one value a row says: which cells hold time, name, value and attributes. */
import { legalName } from '../../../../protocol/legal-name.ts';
import { MAX_ATTRIBUTES } from '../../../../protocol/legal-text.ts';
import { CsvError } from '../csv-error.ts';
import { columnNames, findTimeColumns, indexOfColumn } from '../header.ts';
import type { LongOptions } from '../reader.ts';
import type { TimeCells } from '../row-times.ts';

export type LongHeader = TimeCells & {
  readonly width: number;
  /** The cell that names the metric. */
  readonly nameIndex: number;
  readonly nameColumn: string;
  readonly valueIndex: number;
  readonly valueColumn: string;
  /** Labels as an exporter writes them; null: no such column. */
  readonly labelsIndex: number | null;
  /** The cells that are attributes, in the order of the file. */
  readonly attributes: readonly { readonly index: number; readonly key: string }[];
};

const NAMES = ['metric_name', 'metric', 'name'];
const VALUES = ['value'];
const LABELS = 'labels_raw';

/** Throws CsvError when a column is missing. */
export function readLongHeader(cells: readonly string[], options: LongOptions): LongHeader {
  const names = columnNames(cells);
  const { timeIndex, dateIndex } = findTimeColumns(names, options);
  const nameIndex = findColumn(names, options.metric, NAMES, 'metric');
  const valueIndex = findColumn(names, options.value, VALUES, 'value');
  const labelsAt = names.findIndex((name) => name.toLowerCase() === LABELS);
  const labelsIndex = labelsAt < 0 ? null : labelsAt;
  const taken = new Set([timeIndex, dateIndex, nameIndex, valueIndex, labelsIndex]);
  const keys = new Set<string>();
  const attributes = names.flatMap((name, index) => (taken.has(index) ? [] : [{ index, key: name }]));
  const most = MAX_ATTRIBUTES - options.labels.length;
  if (attributes.length > most) {
    throw new CsvError(
      `the file has ${attributes.length} columns that tell series apart; a series has at most ${MAX_ATTRIBUTES} attributes, those of ${LABELS} among them`,
    );
  }
  return {
    width: cells.length,
    timeIndex,
    dateIndex,
    timeColumn: names[timeIndex] ?? '',
    nameIndex,
    nameColumn: names[nameIndex] ?? '',
    valueIndex,
    valueColumn: names[valueIndex] ?? '',
    labelsIndex,
    attributes: attributes.map(({ index, key }) => ({ index, key: distinct(legalName(key, 60), keys) })),
  };
}

function findColumn(
  names: readonly string[],
  wanted: string | undefined,
  usual: readonly string[],
  option: string,
): number {
  if (wanted !== undefined) return indexOfColumn(names, wanted);
  const lower = names.map((name) => name.toLowerCase());
  for (const name of usual) {
    const index = lower.indexOf(name);
    if (index >= 0) return index;
  }
  throw new CsvError(
    `no column is named ${usual.join(', ')}, which layout=long needs; name it with \`${option}=\`, one of ${names.slice(0, 20).join(', ')}`,
  );
}

function distinct(name: string, taken: Set<string>): string {
  let candidate = name;
  for (let number = 2; taken.has(candidate); number += 1) candidate = `${name}_${number}`;
  taken.add(candidate);
  return candidate;
}
