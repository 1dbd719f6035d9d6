/**
 * The series that samples have columns for. They stay the same until one comes that is not among them; then they are
 * those of its sample and of the samples just before it, so that series that have gone do not stay for ever.
 */
import { MAX_SERIES_PER_SCHEMA, type Series } from '../../../../protocol/sample.ts';
import type { RowSeries } from './row-series.ts';

export type SeriesSet = {
  /** Column of each series, by key. */
  readonly columns: ReadonlyMap<string, number>;
  readonly series: readonly Series[];
};

/** A series stays when one of so many samples has had it. */
const RECENT_SAMPLES = 16;

export type SeriesSets = {
  /** The set for a sample of these series. */
  readonly of: (series: Iterable<RowSeries>) => SeriesSet;
  readonly current: () => SeriesSet;
};

export function createSeriesSets(first: Iterable<RowSeries>): SeriesSets {
  /** The latest sample that had each, by key. */
  const recent = new Map<string, { readonly series: Series; sample: number }>();
  let samples = 0;
  const see = (all: Iterable<RowSeries>) => {
    for (const { key, series } of all) {
      const before = recent.get(key);
      if (before === undefined) recent.set(key, { series, sample: samples });
      else before.sample = samples;
    }
  };
  see(first);
  let current = setOf(recent);
  return {
    of: (all) => {
      samples += 1;
      const own = [...all];
      see(own);
      if (own.every(({ key }) => current.columns.has(key))) return current;
      for (const [key, { sample }] of recent) if (sample <= samples - RECENT_SAMPLES) recent.delete(key);
      if (recent.size > MAX_SERIES_PER_SCHEMA)
        for (const [key, { sample }] of recent) if (sample < samples) recent.delete(key);
      current = setOf(recent);
      return current;
    },
    current: () => current,
  };
}

/** Ordered by key: the same series are the same schema, in whichever order they came. */
function setOf(all: ReadonlyMap<string, { readonly series: Series }>): SeriesSet {
  const ordered = [...all].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return {
    columns: new Map(ordered.map(([key], column) => [key, column])),
    series: ordered.map(([, { series }]) => series),
  };
}
