/** What a replay reports: counts, and log lines that a file full of mistakes does not multiply. */
import type { SourceEmit } from '../source.ts';
import { whyUnreadable } from './cells.ts';
import type { CsvRow, CsvShape } from './reader.ts';
import type { UnreadableReport } from './unreadable.ts';

export type ReplayReport = {
  readonly beginPass: () => void;
  /** Returns how many rows it gave. */
  readonly endPass: (again: boolean) => number;
  readonly opened: (shape: CsvShape) => void;
  readonly given: (rows: number) => void;
  /** Of this pass. */
  readonly rows: () => number;
  readonly skipped: (row: Extract<CsvRow, { kind: 'bad' }>) => void;
  readonly unreadable: (cells: UnreadableReport | null) => void;
  readonly waiting: (line: number, ms: number) => void;
  readonly resumed: (line: number, rows: number) => void;
  readonly startedOver: (reason: string) => void;
  readonly rotated: (reason: string) => void;
};

/** Bad rows, and bad cells, that get a log line of their own in one pass. */
const LOGGED = 10;
/** A wait that people may take for a replay that hangs. */
const LONG_WAIT_MS = 600_000;

export function createReplayReport(
  { source, path }: { readonly source: string; readonly path: string },
  emit: SourceEmit,
): ReplayReport {
  let rows = 0;
  let skipped = 0;
  let logged = 0;
  const lastOf = (count: number) => (count === LOGGED ? '; further ones of this pass are only counted' : '');
  return {
    beginPass: () => {
      rows = 0;
      skipped = 0;
      logged = 0;
    },
    endPass: (again) => {
      emit({ type: 'csv_pass_ended', source, rows, skipped, again });
      return rows;
    },
    opened: ({ timeColumn, series, ignored, advice }) => {
      emit({ type: 'csv_opened', source, path, series: series.length, timeColumn });
      if ([...ignored, ...series.map(({ name }) => name)].some((name) => name.includes('\uFFFD')))
        emit({ type: 'csv_encoding_unknown', source, path });
      if (ignored.length === 0) return;
      emit({
        type: 'csv_columns_ignored',
        source,
        columns: ignored.slice(0, 20),
        reason: `they hold text${advice}`,
      });
    },
    given: (count) => {
      rows += count;
    },
    rows: () => rows,
    skipped: ({ line, reason }) => {
      skipped += 1;
      emit({ type: 'csv_rows_skipped', source, count: 1 });
      if (skipped <= LOGGED)
        emit({ type: 'csv_row_skipped', source, line, reason: `${reason}${lastOf(skipped)}` });
    },
    unreadable: (cells) => {
      if (cells === null) return;
      for (const [column, count] of cells.counts)
        emit({ type: 'csv_cells_unreadable', source, column, count });
      for (const { line, column, text } of cells.shown.slice(0, Math.max(0, LOGGED - logged))) {
        logged += 1;
        const reason = `\`${text}\` ${whyUnreadable(text)}${lastOf(logged)}`;
        emit({ type: 'csv_cell_unreadable', source, line, column, reason });
      }
    },
    waiting: (line, ms) => {
      if (ms >= LONG_WAIT_MS) emit({ type: 'csv_waiting', source, line, seconds: Math.round(ms / 1000) });
    },
    resumed: (line, passed) => emit({ type: 'csv_resumed', source, path, line, passed }),
    startedOver: (reason) => emit({ type: 'csv_started_over', source, path, reason }),
    rotated: (reason) => emit({ type: 'csv_rotated', source, path, reason }),
  };
}
