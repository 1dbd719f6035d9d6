/** Where the person is, in the hash of the address: `#/`, `#/agents/ID?range=1h&series=a&series=b`. */
import { bind } from '@react-rxjs/core';
import { distinctUntilChanged, fromEvent, map, startWith } from 'rxjs';
import { agentIdSchema } from '../../protocol/sample.ts';

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
    series: params.has('series') ? params.getAll('series').filter(Boolean) : null,
  };
}

export function formatRoute(route: Route): string {
  if (route.page !== 'agent') return '#/';
  const params = new URLSearchParams();
  if (route.range !== '5m') params.set('range', route.range);
  if (route.series !== null)
    for (const series of route.series.length === 0 ? [''] : route.series) params.append('series', series);
  const query = params.toString();
  return `#/agents/${route.id}${query === '' ? '' : `?${query}`}`;
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
