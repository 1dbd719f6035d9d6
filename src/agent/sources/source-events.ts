/** What sources report about themselves. */
import { defineEvent } from '../../platform/telemetry.ts';

export const sourceEvents = {
  collector_failed: defineEvent<{ source: string; collector: string; reason: string }>({
    level: 'warn',
    message: 'a collector gives no values; the others go on',
    metrics: [
      {
        name: 'holdfast_agent_collector_failures_total',
        kind: 'counter',
        help: 'Episodes in which a collector of a source failed or hung.',
        labels: ({ source, collector }) => ({ source, collector }),
        labelNames: ['source', 'collector'],
      },
    ],
  }),
  collector_recovered: defineEvent<{ source: string; collector: string }>({
    level: 'info',
    message: 'the collector gives values again',
    metrics: [],
  }),
  collector_limited: defineEvent<{ source: string; collector: string; reason: string }>({
    level: 'warn',
    message: 'a collector leaves out a part of the machine',
    metrics: [
      {
        name: 'holdfast_agent_collector_limits_total',
        kind: 'counter',
        help: 'Episodes in which a collector of a source left out a part of what it measures.',
        labels: ({ source, collector }) => ({ source, collector }),
        labelNames: ['source', 'collector'],
      },
    ],
  }),
  collector_complete: defineEvent<{ source: string; collector: string }>({
    level: 'info',
    message: 'the collector leaves out nothing any more',
    metrics: [],
  }),
  csv_opened: defineEvent<{ source: string; path: string; series: number; timeColumn: string }>({
    level: 'info',
    message: 'replaying a CSV file',
    metrics: [],
  }),
  csv_encoding_unknown: defineEvent<{ source: string; path: string }>({
    level: 'warn',
    message:
      'the CSV file is not written in UTF-8; say in what with encoding=, such as encoding=windows-1252',
    metrics: [],
  }),
  csv_columns_ignored: defineEvent<{ source: string; columns: readonly string[]; reason: string }>({
    level: 'warn',
    message: 'columns of the CSV file are left out',
    metrics: [],
  }),
  /** Logged for the first bad rows of a pass only. */
  csv_row_skipped: defineEvent<{ source: string; line: number; reason: string }>({
    level: 'warn',
    message: 'a bad row of the CSV file is skipped',
    metrics: [],
  }),
  /** Every bad row counts, also those that are not logged. */
  csv_rows_skipped: defineEvent<{ source: string; count: number }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_csv_rows_skipped_total',
        kind: 'counter',
        help: 'Rows of CSV files that could not be read and were skipped.',
        value: ({ count }) => count,
        labels: ({ source }) => ({ source }),
        labelNames: ['source'],
      },
    ],
  }),
  /** Logged for the first unreadable cells of a pass only. */
  csv_cell_unreadable: defineEvent<{ source: string; line: number; column: string; reason: string }>({
    level: 'warn',
    message: 'a cell of the CSV file cannot be read; its value is left out',
    metrics: [],
  }),
  /** Every one counts, also those that are not logged. */
  csv_cells_unreadable: defineEvent<{ source: string; column: string; count: number }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_csv_cells_unreadable_total',
        kind: 'counter',
        help: 'Cells of CSV files that could not be read and cost their values, by column.',
        value: ({ count }) => count,
        labels: ({ source, column }) => ({ source, column }),
        labelNames: ['source', 'column'],
      },
    ],
  }),
  csv_waiting: defineEvent<{ source: string; line: number; seconds: number }>({
    level: 'info',
    message: 'the next row of the CSV file is waited for, as long as its time is ahead',
    metrics: [],
  }),
  csv_throttled: defineEvent<{ source: string; pending: number; depth: number; samplesPerSecond: number }>({
    level: 'info',
    message: 'the CSV file is given more slowly: the journal holds much that HQ has not confirmed',
    metrics: [],
  }),
  csv_unthrottled: defineEvent<{ source: string; pending: number; depth: number }>({
    level: 'info',
    message: 'the CSV file is given as fast as before',
    metrics: [],
  }),
  csv_throttle_rate: defineEvent<{ source: string; rate: number }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_csv_throttle_rate',
        kind: 'gauge',
        help: 'Share of its usual rate at which a CSV file is given: 1 while it is not throttled.',
        value: ({ rate }) => rate,
        labels: ({ source }) => ({ source }),
        labelNames: ['source'],
      },
    ],
  }),
  csv_throttled_samples: defineEvent<{ source: string; count: number }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_csv_throttled_samples_total',
        kind: 'counter',
        help: 'Samples of CSV files that were given while the file was throttled.',
        value: ({ count }) => count,
        labels: ({ source }) => ({ source }),
        labelNames: ['source'],
      },
    ],
  }),
  csv_resumed: defineEvent<{ source: string; path: string; line: number; passed: number }>({
    level: 'info',
    message: 'the CSV file goes on where the last run stopped; with resume=false it begins at its top',
    metrics: [],
  }),
  csv_started_over: defineEvent<{ source: string; path: string; reason: string }>({
    level: 'warn',
    message: 'the CSV file begins at its top',
    metrics: [],
  }),
  csv_rotated: defineEvent<{ source: string; path: string; reason: string }>({
    level: 'info',
    message: 'the CSV file that is followed is opened again',
    metrics: [],
  }),
  csv_pass_ended: defineEvent<{ source: string; rows: number; skipped: number; again: boolean }>({
    level: 'info',
    message: 'reached the end of the CSV file',
    metrics: [],
  }),
};
