/** Where the person is, in the hash of the address: `#/`, `#/agents/ID?range=1h&from=1&to=2&series=a&series=b`. */
import { bind } from '@react-rxjs/core';
import { distinctUntilChanged, fromEvent, map, startWith } from 'rxjs';
import { agentIdSchema } from '../../protocol/sample.ts';
import { drawableSpan, type TimeSpan } from '../charts/zoom.ts';

export const RANGES = ['5m', '1h', '6h', '24h'] as const;
export type RangeName = (typeof RANGES)[number];
export const RANGE_MS: Readonly<Record<RangeName, number>> = {
  '5m': 300_000,
  '1h': 3_600_000,
  '6h': 21_600_000,
  '24h': 86_400_000,
};

export type Route =
  | { readonly page: 'fleet' }
  | {
      readonly page: 'agent';
      readonly id: string;
      readonly range: RangeName;
      /** A stretch of time that is looked at instead of the range; null: the range, up to now. */
      readonly zoom: TimeSpan | null;
      /** Series to draw; null for the default ones. */
      readonly series: readonly string[] | null;
    }
  | { readonly page: 'unknown' };

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2);
  if (path === '' || path === '/') return { page: 'fleet' };
  const match = /^\/agents\/([^/]+)$/.exec(path);
  const id = agentIdSchema.safeParse(match?.[1]);
  if (!id.success) return { page: 'unknown' };
  const params = new URLSearchParams(query);
  const range = RANGES.find((name) => name === params.get('range')) ?? '5m';
  return {
    page: 'agent',
    id: id.data,
    range,
    zoom: drawableSpan(timeOf(params, 'from'), timeOf(params, 'to')),
    series: params.has('series') ? params.getAll('series').filter(Boolean) : null,
  };
}

/** NaN where there is none. */
function timeOf(params: URLSearchParams, name: string): number {
  const text = params.get(name);
  return text !== null && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
}

export function formatRoute(route: Route): string {
  if (route.page !== 'agent') return '#/';
  const params = new URLSearchParams();
  if (route.range !== '5m') params.set('range', route.range);
  if (route.zoom !== null) {
    params.set('from', String(route.zoom.from));
    params.set('to', String(route.zoom.to));
  }
  if (route.series !== null)
    for (const series of route.series.length === 0 ? [''] : route.series) params.append('series', series);
  const query = params.toString();
  return `#/agents/${route.id}${query === '' ? '' : `?${query}`}`;
}

/** Goes there; the browser's way back leads here again. */
export function pushRoute(route: Route): void {
  location.assign(formatRoute(route));
}

/** Goes there without a step in the history. */
export function replaceRoute(route: Route): void {
  location.replace(formatRoute(route));
}

export const [useRoute] = bind(
  () =>
    fromEvent(window, 'hashchange').pipe(
      startWith(null),
      map(() => location.hash),
      distinctUntilChanged(),
      map(parseRoute),
    ),
  () => parseRoute(location.hash),
);
