/** Rows as a table for people, as JSON, or as CSV. */
import { print } from '../print.ts';

export const FORMATS = ['table', 'json', 'csv'] as const;
export type Format = (typeof FORMATS)[number];

export type Column<T> = {
  readonly name: string;
  readonly value: (row: T) => string | number | boolean | null;
  /** For people; default: the value as it is, and a dash for null. */
  readonly shown?: (row: T) => string;
  readonly isRight?: boolean;
};

/**
 * JSON has the documents as HQ gave them, as one array; CSV and JSON are written as they come, a table once all is
 * there. Ends early when nobody reads any more.
 */
export async function printRows<T>(
  format: Format,
  columns: readonly Column<T>[],
  rows: AsyncIterable<T> | Iterable<T>,
): Promise<void> {
  if (format === 'json') await printJson(rows);
  else if (format === 'csv') await printCsv(columns, rows);
  else await printTable(columns, rows);
}

async function printJson(rows: AsyncIterable<unknown> | Iterable<unknown>): Promise<void> {
  let before = '[';
  for await (const row of rows) {
    if (!(await print(before + JSON.stringify(row), ''))) return;
    before = ',\n';
  }
  await print(before === '[' ? '[]' : ']');
}

async function printCsv<T>(
  columns: readonly Column<T>[],
  rows: AsyncIterable<T> | Iterable<T>,
): Promise<void> {
  if (!(await print(columns.map(({ name }) => name).join(',')))) return;
  for await (const row of rows) {
    if (!(await print(columns.map(({ value }) => csvOf(value(row))).join(',')))) return;
  }
}

async function printTable<T>(
  columns: readonly Column<T>[],
  rows: AsyncIterable<T> | Iterable<T>,
): Promise<void> {
  const lines = [columns.map(({ name }) => name.toUpperCase())];
  for await (const row of rows) lines.push(columns.map((column) => shownOf(column, row)));
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  for (const line of lines) {
    const cells = line.map((cell, at) =>
      columns[at]?.isRight === true ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0),
    );
    if (!(await print(cells.join('  ').trimEnd()))) return;
  }
}

function shownOf<T>({ value, shown }: Column<T>, row: T): string {
  const text = shown === undefined ? String(value(row) ?? '–') : shown(row);
  // What an agent names itself or its series must not steer a terminal.
  return text.replaceAll(/\p{Cc}/gu, '\ufffd');
}

function csvOf(value: string | number | boolean | null): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** RFC 3339; of what no date can hold the number. */
export function timeOf(ts: number | null): string | null {
  if (ts === null) return null;
  const date = new Date(ts);
  return Number.isNaN(date.getTime()) ? String(ts) : date.toISOString();
}
