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
  csv_opened: defineEvent<{ source: string; path: string; series: number; timeColumn: string }>({
    level: 'info',
    message: 'replaying a CSV file',
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
  csv_pass_ended: defineEvent<{ source: string; rows: number; skipped: number; again: boolean }>({
    level: 'info',
    message: 'reached the end of the CSV file',
    metrics: [],
  }),
};
