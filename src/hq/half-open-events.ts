/** What HQ tells of connections that are half open. */
import { defineEvent, type EventOf } from '../platform/telemetry.ts';
import type { CutReason } from './half-open.ts';

/** What has not arrived whole: an HTTP request, the join of a namespace, or an agent's hello. */
export type HalfOpenKind = 'request' | 'join' | 'hello';

export const halfOpenEvents = {
  half_open: defineEvent<{ kind: HalfOpenKind; count: number }>({
    level: null,
    message: 'connections that are half open',
    metrics: [
      {
        name: 'holdfast_hq_half_open',
        kind: 'gauge',
        help: 'Connections whose request, join or hello has not arrived whole.',
        value: ({ count }) => count,
        labelNames: ['kind'],
        labels: ({ kind }) => ({ kind }),
      },
    ],
  }),
  half_open_cut: defineEvent<{ kind: HalfOpenKind; reason: CutReason; address: string }>({
    level: 'info',
    message: 'connection cut off: what it began with did not arrive',
    metrics: [
      {
        name: 'holdfast_hq_half_open_cut_total',
        kind: 'counter',
        help: 'Connections cut off because their request, join or hello went silent, came too slowly, was one of too many, or held too much.',
        labelNames: ['kind', 'reason'],
        labels: ({ kind, reason }) => ({ kind, reason }),
      },
    ],
  }),
};

export type HalfOpenEmit = (event: EventOf<typeof halfOpenEvents>) => void;
