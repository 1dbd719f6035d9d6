/** What HQ as a whole tells of itself. */
import { defineEvent } from '../platform/telemetry.ts';

export const hqEvents = {
  hq_listening: defineEvent<{ url: string; version: string; dataDir: string }>({
    level: 'info',
    message: 'HQ is listening',
    metrics: [
      {
        name: 'holdfast_build_info',
        kind: 'gauge',
        help: 'Always 1; the version stands in the label.',
        value: () => 1,
        labelNames: ['version'],
        labels: ({ version }) => ({ version }),
      },
    ],
  }),
  hq_stopping: defineEvent<object>({ level: 'info', message: 'HQ is stopping', metrics: [] }),
  stop_incomplete: defineEvent<{ step: string; error: string }>({
    level: 'warn',
    message: 'a step of the stop failed or took too long, and was left',
    metrics: [],
  }),
  demo_token: defineEvent<{ role: string; variable: string }>({
    level: 'warn',
    message:
      'A PUBLISHED DEMO TOKEN IS IN USE: everybody knows it. Set one of your own before others can reach HQ.',
    metrics: [],
  }),
  sign_in: defineEvent<{ dashboard: string; token: string }>({
    level: 'info',
    message: 'to see the dashboard, open this address; it asks for this token',
    metrics: [],
  }),
  open_dashboard: defineEvent<{ dashboard: string }>({
    level: 'info',
    message: 'to see the dashboard, open this address; it asks for no token: who reaches it may read all',
    metrics: [],
  }),
  anonymous: defineEvent<{ host: string }>({
    level: 'warn',
    message:
      'HQ LISTENS BEYOND THIS MACHINE WITHOUT TOKENS: anyone who reaches it may read and write everything.',
    metrics: [],
  }),
  storage_damage: defineEvent<{ what: string; detail: string; quarantine: string | null }>({
    level: 'warn',
    message: 'damage met in the storage; what could be read is kept',
    metrics: [
      {
        name: 'holdfast_hq_storage_damage_total',
        kind: 'counter',
        help: 'Damaged and missing files, and damaged records, met in the storage of HQ.',
        labelNames: ['what'],
        labels: ({ what }) => ({ what }),
      },
    ],
  }),
  storage_upgrade: defineEvent<{ from: number; to: number; kept: string; bytes: number }>({
    level: 'warn',
    message:
      'the data directory is taken over from an earlier format, and copied first; remove the copy when you will not go back',
    metrics: [],
  }),
  storage_missing: defineEvent<{ detail: string }>({
    level: 'error',
    message: 'HQ HAS LOST ITS STORAGE and begins with an empty one',
    metrics: [
      {
        name: 'holdfast_hq_storage_damage_total',
        kind: 'counter',
        help: 'Damaged and missing files, and damaged records, met in the storage of HQ.',
        labelNames: ['what'],
        labels: () => ({ what: 'missing' }),
      },
    ],
  }),
  storage_failed: defineEvent<{ error: string }>({
    level: 'error',
    message: 'the storage can never commit again; HQ has to be restarted',
    metrics: [],
  }),
};
