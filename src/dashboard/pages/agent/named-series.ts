/** Series under names that tell them apart. */
import type { AnomalyDocument, SeriesDocument } from '../../../protocol/api.ts';

export type NamedSeries = SeriesDocument & {
  /**
   * The key of the series; with `@source` behind it where another source of the agent has one of this key too, or where
   * the key could be taken for such a name.
   */
  readonly chart: string;
};

export function nameSeries(all: readonly SeriesDocument[]): readonly NamedSeries[] {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const { series } of all) (seen.has(series) ? shared : seen).add(series);
  return all.map((one) => ({
    ...one,
    chart: shared.has(one.series) || one.series.includes('@') ? withSource(one) : one.series,
  }));
}

/** A backslash stands before an `@` of the source: what is behind the last other one is the source. */
const withSource = ({ series, source }: SeriesDocument) => `${series}@${source.replaceAll(/[\\@]/g, '\\$&')}`;

/** The chart that an anomaly is of. What was stored before HQ kept the source may be of any that has the series. */
export function chartOf(
  all: readonly NamedSeries[],
  { series, source }: Pick<AnomalyDocument, 'series' | 'source'>,
): string {
  return all.find((one) => one.series === series && one.source === source)?.chart ?? series;
}

/** What an address names: a chart; or a key alone, which stands for that series of every source. Each at most once. */
export function findCharts(all: readonly NamedSeries[], names: readonly string[]): readonly NamedSeries[] {
  const found = names.flatMap((name) => {
    const exact = all.filter(({ chart }) => chart === name);
    return exact.length > 0 ? exact : all.filter(({ series }) => series === name);
  });
  return [...new Set(found)];
}
