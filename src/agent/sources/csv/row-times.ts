/** The times of rows: in one column, or with their dates in another. */
import { isTimeOfDay } from './times/time-text.ts';
import {
  findTimes,
  isPartOfDay,
  namedTimes,
  type TimeOptions,
  type Times,
  timeAdvice,
  unitInName,
} from './times/times.ts';

export type TimeCells = {
  readonly timeIndex: number;
  /** A column that may hold the dates of the times; null: none. */
  readonly dateIndex: number | null;
  readonly timeColumn: string;
};

type Row = { readonly cells: readonly string[] };

/** Whether the times need their column of dates. `named`: somebody has said so. */
export function hasSplitTimes(
  { timeIndex }: TimeCells,
  rows: readonly Row[],
  { named, times }: { readonly named: boolean; readonly times: TimeOptions },
): boolean {
  return (
    named ||
    rows.some(({ cells }) => {
      const time = (cells[timeIndex] ?? '').trim();
      return isTimeOfDay(time) || isPartOfDay(time, times);
    })
  );
}

export function timeIn(cells: readonly string[], { timeIndex, dateIndex }: TimeCells): string {
  const time = cells[timeIndex] ?? '';
  return dateIndex === null ? time : `${(cells[dateIndex] ?? '').trim()} ${time.trim()}`;
}

/** How the times are read; null: none is among these. */
export function timesOf(options: TimeOptions, header: TimeCells, cells: readonly string[]): Times | null {
  return namedTimes(options) ?? findTimes(cells, unitInName(header.timeColumn), options);
}

export function noTime(text: string, { timeColumn }: TimeCells): string {
  return `\`${shorten(text)}\` in column \`${timeColumn}\` is no time${timeAdvice(text)}`;
}

export function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
