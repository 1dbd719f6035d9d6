/** Distinct series that an agent would have: their number is bounded (`limits.maxSeries`). */
import { map, type Observable } from 'rxjs';
import type { Schema } from '../../../protocol/sample.ts';
import { seriesKey, sourceSeriesKey } from '../../../protocol/series-key.ts';
import type { AgentRegistry } from '../../store/store.ts';

/** With these schemas, besides those that HQ has of it. Series are told apart by source too. */
export function seriesWith(
  store: Pick<AgentRegistry, 'series'>,
  agent: string,
  schemas: readonly Pick<Schema, 'source' | 'series'>[],
): Observable<number> {
  return store.series(agent).pipe(
    map((known) => {
      const all = new Set(known.map(({ source, series }) => sourceSeriesKey(source, series)));
      for (const { source, series } of schemas) {
        for (const one of series) all.add(sourceSeriesKey(source, seriesKey(one)));
      }
      return all.size;
    }),
  );
}
