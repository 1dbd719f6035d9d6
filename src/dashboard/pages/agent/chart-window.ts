/** Which stretch of time the charts of an agent show. */
import { formatDateTime } from '../../format.ts';
import { RANGE_MS, type Route } from '../../state/route.ts';

export type ChartWindow = {
  /** Epoch ms; null: up to now. */
  readonly from: number | null;
  readonly spanMs: number;
  /** For people, after what it is of: `over the last 5m`. */
  readonly text: string;
};

/** `now`: HQ's, epoch ms. */
export function chartWindow({ range, zoom }: Extract<Route, { page: 'agent' }>, now: number): ChartWindow {
  if (zoom === null) return { from: null, spanMs: RANGE_MS[range], text: `over the last ${range}` };
  const { from, to } = zoom;
  const text = `from ${formatDateTime(from, now)} to ${formatDateTime(to, now)}`;
  return { from, spanMs: to - from, text };
}
