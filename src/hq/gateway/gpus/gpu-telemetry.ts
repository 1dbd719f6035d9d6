/** What was measured of one GPU: the samples of its agent, without what is of others. */
import { EMPTY, expand, map, type Observable, reduce } from 'rxjs';
import type { GpuSample, SampleDocument, SeriesDocument } from '../../../protocol/api.ts';
import type { Page, QueryStore, TimeRange } from '../../store/store.ts';
import type { MeasuredGpu } from './gpu-catalogue.ts';
import { gpuOf, metricOf } from './gpu-of.ts';

/** Pages of all samples that are read for one of a GPU: an agent may measure much besides. */
const MAX_PAGES = 20;

/** What each series of the GPU is called in its telemetry, by source and key. */
export type GpuMetrics = ReadonlyMap<string, ReadonlyMap<string, string>>;

export function metricsOf(gpus: readonly MeasuredGpu[], series: readonly SeriesDocument[]): GpuMetrics {
  const wanted = gpus[0];
  const sources = new Map(gpus.map(({ source }) => [source, new Map<string, string>()]));
  const taken = new Set<string>();
  for (const one of series) {
    const gpu = gpuOf(one);
    const metrics = sources.get(one.source);
    if (gpu === null || metrics === undefined || wanted === undefined) continue;
    const isSame =
      wanted.uuid === null
        ? gpu.uuid === null && gpu.index === wanted.index && gpu.host === wanted.host
        : gpu.uuid === wanted.uuid;
    if (!isSame) continue;
    const metric = metricOf(one);
    const name = `${one.source}\n${metric}`;
    // Two series that differ in nothing but what says which GPU it is, such as a model that was renamed.
    metrics.set(one.series, taken.has(name) ? one.series : metric);
    taken.add(name);
  }
  return sources;
}

export type GpuQuery = TimeRange & {
  readonly agent: string;
  readonly limit: number;
  readonly cursor: string | null;
};

/**
 * One page, oldest first. Fewer samples than `limit` with a cursor: there was much else between them. Errors: as of
 * the store.
 */
export function gpuTelemetry(
  store: Pick<QueryStore, 'samples'>,
  metrics: GpuMetrics,
  { limit, ...query }: GpuQuery,
): Observable<Page<GpuSample>> {
  type Read = { readonly items: readonly GpuSample[]; readonly cursor: string | null; readonly left: number };
  const read = (cursor: string | null, left: number): Observable<Read> =>
    store.samples({ ...query, cursor, limit: left }).pipe(
      map((page) => {
        const items = page.items.flatMap((sample) => gpuSample(sample, metrics) ?? []);
        return { items, cursor: page.cursor, left: left - items.length };
      }),
    );
  return read(query.cursor, limit).pipe(
    expand(({ cursor, left }, index) =>
      cursor === null || left === 0 || index + 1 >= MAX_PAGES ? EMPTY : read(cursor, left),
    ),
    reduce((all: Page<GpuSample>, { items, cursor }) => ({ items: [...all.items, ...items], cursor }), {
      items: [],
      cursor: null,
    }),
  );
}

function gpuSample({ ts, arrivalTs, source, values }: SampleDocument, all: GpuMetrics): GpuSample | null {
  const metrics = all.get(source);
  if (metrics === undefined) return null;
  const own: [string, GpuSample['values'][string]][] = [];
  for (const [series, value] of Object.entries(values)) {
    const metric = metrics.get(series);
    if (metric !== undefined) own.push([metric, value]);
  }
  return own.length === 0 ? null : { ts, arrivalTs, source, values: Object.fromEntries(own) };
}
