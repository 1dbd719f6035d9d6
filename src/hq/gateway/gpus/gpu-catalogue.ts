/**
 * The GPUs that agents measure, found in their series. The series of an agent are looked at again when their number has
 * changed, a few agents at a time, so that a fleet of thousands holds nobody up.
 */
import { bufferCount, concatMap, defer, from, last, map, type Observable, of, timer } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import type { AgentSummary, SeriesDocument } from '../../../protocol/api.ts';
import type { Fleet } from '../../aggregate/fleet.ts';
import type { AgentRegistry } from '../../store/store.ts';
import { type GpuName, gpuOf } from './gpu-of.ts';

/** A GPU as one source of one agent measures it. */
export type MeasuredGpu = GpuName & {
  readonly agent: string;
  readonly source: string;
  /** How many series. */
  readonly series: number;
  readonly firstTs: number | null;
  readonly lastTs: number | null;
};

export type GpuCatalogue = {
  /** Of all agents; emits once. Errors: as of the store. */
  readonly all: () => Observable<readonly MeasuredGpu[]>;
};

export type GpuCatalogueOptions = {
  readonly store: Pick<AgentRegistry, 'series'>;
  readonly fleet: Pick<Fleet, 'summaries'>;
  readonly clock: Pick<Clock, 'scheduler'>;
};

/** Agents that are looked at in one turn of the event loop. */
const AT_ONCE = 32;

type Known = { readonly seriesCount: number; readonly gpus: readonly MeasuredGpu[] };

export function createGpuCatalogue({ store, fleet, clock }: GpuCatalogueOptions): GpuCatalogue {
  const known = new Map<string, Known>();
  const look = ({ id, seriesCount }: AgentSummary) =>
    store.series(id).pipe(
      map((series) => {
        known.set(id, { seriesCount, gpus: gpusIn(id, series) });
      }),
    );
  /** Those that have GPUs are looked at each time: until when they are measured changes. */
  const isDue = ({ id, seriesCount }: AgentSummary) => {
    const before = known.get(id);
    return before === undefined || before.seriesCount !== seriesCount || before.gpus.length > 0;
  };
  return {
    all: () =>
      defer(() => fleet.summaries()).pipe(
        concatMap((agents) => {
          const ids = new Set(agents.map(({ id }) => id));
          for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
          const gpus = () => agents.flatMap(({ id }) => known.get(id)?.gpus ?? []);
          return from(agents.filter(isDue)).pipe(
            bufferCount(AT_ONCE),
            concatMap((some) =>
              timer(0, clock.scheduler).pipe(
                concatMap(() => from(some)),
                concatMap(look),
              ),
            ),
            last(null, undefined),
            concatMap(() => of(gpus())),
          );
        }),
      ),
  };
}

/** One for each GPU and source. */
export function gpusIn(agent: string, series: readonly SeriesDocument[]): MeasuredGpu[] {
  const found = new Map<string, MeasuredGpu>();
  for (const one of series) {
    const gpu = gpuOf(one);
    if (gpu === null) continue;
    const key = JSON.stringify([one.source, gpu.uuid ?? gpu.index, gpu.uuid === null ? gpu.host : null]);
    const before = found.get(key);
    found.set(key, {
      ...(before ?? { ...gpu, agent, source: one.source }),
      series: (before?.series ?? 0) + 1,
      firstTs: least(before?.firstTs, one.firstTs),
      lastTs: most(before?.lastTs, one.lastTs),
    });
  }
  return [...found.values()];
}

const least = (one: number | null = null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.min(one, other);
const most = (one: number | null = null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.max(one, other);
