import { expect, test } from 'vitest';
import { formatRoute, parseRoute, type Route } from './route.ts';

test.each(['', '#', '#/'])('%j is the fleet', (hash) => expect(parseRoute(hash)).toEqual({ page: 'fleet' }));

test('an agent alone is shown with the default range and series', () => {
  expect(parseRoute('#/agents/edge-1')).toEqual({
    page: 'agent',
    id: 'edge-1',
    range: '5m',
    zoom: null,
    series: null,
  });
});

test.each<Route>([
  {
    page: 'agent',
    id: 'edge-1',
    range: '24h',
    zoom: { from: 1_700_000_000_000, to: 1_700_000_060_000 },
    series: ['system.network.io{device=eth0,direction=receive}', 'b c&d'],
  },
  { page: 'agent', id: 'a.b_c', range: '5m', zoom: null, series: [] },
  { page: 'fleet' },
])('%j survives its own address', (route) => expect(parseRoute(formatRoute(route))).toEqual(route));

test('an unknown range is the default one', () => {
  expect(parseRoute('#/agents/a?range=7y')).toMatchObject({ range: '5m' });
});

test.each([
  ...['from=5', 'to=5', 'from=5&to=5', 'from=9&to=5', 'from=-5&to=9000', 'from=1e3&to=9000'],
  ...['from=9007199254740990&to=9007199254740991', 'from=NaN&to=Infinity', 'from=&to='],
])('?%s is no stretch of time', (query) => {
  expect(parseRoute(`#/agents/a?${query}`)).toMatchObject({ page: 'agent', zoom: null });
});

test.each(['#/agents/', '#/agents/<script>', '#/agents/a/b', '#/elsewhere'])('%s is no page', (hash) =>
  expect(parseRoute(hash)).toEqual({ page: 'unknown' }),
);
