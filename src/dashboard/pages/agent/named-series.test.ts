import { expect, test } from 'vitest';
import type { SeriesDocument } from '../../../protocol/api.ts';
import { chartOf, findCharts, nameSeries } from './named-series.ts';

const series = (name: string, source: string): SeriesDocument => ({
  series: name,
  name,
  attributes: {},
  unit: '1',
  source,
  firstTs: 0,
  lastTs: 0,
});
const all = nameSeries([series('a', 'sim'), series('a', 'sim-2'), series('b', 'sim')]);
const charts = (...names: string[]) => findCharts(all, names).map(({ chart }) => chart);

test('only series that two sources have are named with their source', () => {
  expect(all.map(({ chart }) => chart)).toEqual(['a@sim', 'a@sim-2', 'b']);
});

test('an anomaly is named as its chart, without a source where HQ does not know it', () => {
  expect(chartOf(all, { series: 'a', source: 'sim-2' })).toBe('a@sim-2');
  expect(chartOf(all, { series: 'b', source: 'sim' })).toBe('b');
  expect(chartOf(all, { series: 'a' })).toBe('a');
  expect(chartOf([], { series: 'a', source: 'sim' })).toBe('a');
});

test('a name finds its chart, a bare key those of every source, and none comes twice', () => {
  expect(charts('a@sim-2', 'b')).toEqual(['a@sim-2', 'b']);
  expect(charts('a')).toEqual(['a@sim', 'a@sim-2']);
  expect(charts('a@sim-2', 'a', 'b', 'b', 'gone')).toEqual(['a@sim-2', 'a@sim', 'b']);
});

test('a key that looks like the name of another chart stands for itself', () => {
  const odd = nameSeries([series('a', 'sim'), series('a', 'x'), series('a@y', 'sim')]);
  expect(findCharts(odd, ['a@y']).map(({ source }) => source)).toEqual(['sim']);
});

test('no two series have a chart of one name', () => {
  const odd = [
    series('a', 'x'),
    series('a', 'y@x'),
    series('a@x', 'z'),
    series('a', 'y\\@x'),
    series('a@y', 'x'),
  ];
  const names = nameSeries(odd).map(({ chart }) => chart);
  expect(new Set(names).size).toBe(odd.length);
});
