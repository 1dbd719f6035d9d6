/**
 * Whether HQ's rollups say the same as its raw samples, which are checked by themselves, on what its disk holds now:
 * wherever rollups have come to.
 */
import { loadView } from '../../src/hq/store/load-view.ts';
import { queryBuckets } from '../../src/hq/store/query-buckets.ts';
import type { QueryContext } from '../../src/hq/store/query-context.ts';
import { newestArrival } from '../../src/hq/store/retention.ts';
import { isComplete } from '../../src/hq/store/rollup-state.ts';
import { createSchemaCatalogue } from '../../src/hq/store/schema-catalogue.ts';
import { BUCKET_STATISTICS, type Bucket } from '../../src/protocol/bucket.ts';
import { createMemoryDisk, createMemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import type { Violations } from './violations.ts';

const HOUR_MS = 3_600_000;
const STEPS_MS = [10_000, 60_000, HOUR_MS];
/** Of each agent. */
const SERIES = 3;
const TOLERANCE = 1e-12;
const ALL = new Set(BUCKET_STATISTICS);

export type RollupCheckOptions = {
  readonly hqRecords: () => ReadonlyMap<string, Uint8Array>;
  readonly violations: Violations;
};

/** How many agents have rollups that are complete: of the others there is nothing to compare. */
export function checkRollups({ hqRecords, violations }: RollupCheckOptions): number {
  const storage = createMemoryStorage({ disk: { ...createMemoryDisk(), records: new Map(hqRecords()) } });
  const { view } = storage.read(loadView);
  const now = newestArrival(storage) ?? 0;
  const raw: QueryContext = {
    storage,
    tail: (agent) => view.tails.get(agent) ?? [],
    schemas: createSchemaCatalogue(storage),
    maxAheadMs: Number.POSITIVE_INFINITY,
    onBadFrame: () => {},
  };
  const rollups = {
    storage,
    unrolled: (agent: string) => view.unrolled.get(agent) ?? [],
    keptFrom: () => Number.NEGATIVE_INFINITY,
  };
  let complete = 0;
  for (const agent of view.agents.keys()) {
    if (isComplete(view.rollups.get(agent))) complete += 1;
    for (const stepMs of STEPS_MS) {
      const [rolled, truth] = [{ ...raw, rollups }, raw].map((context) =>
        bucketsOf(context, agent, { now, stepMs }),
      );
      for (const [index, bucket] of (truth ?? []).entries()) {
        const wrong = differenceOf(rolled?.[index], bucket);
        if (wrong !== null)
          violations.report('rollups', `${agent}: bucket ${bucket.t} of ${stepMs} ms: ${wrong}`);
      }
    }
  }
  return complete;
}

function bucketsOf(
  context: QueryContext,
  agent: string,
  { now, stepMs }: { readonly now: number; readonly stepMs: number },
): readonly Bucket[] {
  const { schemas } = context;
  const named = [...schemas.all(agent).values()].flatMap((schema) =>
    schemas.keys(schema).map((series) => ({ source: schema.source, series })),
  );
  const series = named.slice(0, SERIES).map((one, row) => ({ ...one, agent, row }));
  const from = Math.floor(now / HOUR_MS - 3) * HOUR_MS;
  const query = {
    from,
    to: from + 6 * HOUR_MS + 1,
    stepMs,
    series,
    rows: series.length,
    percentiles: stepMs > 10_000,
  };
  const steps = queryBuckets(context, query);
  for (;;) {
    const step = steps.next();
    if (step.done !== true) continue;
    const { length, bucket } = step.value;
    return series.flatMap((_, row) => Array.from({ length }, (_, index) => bucket(row, index, ALL)));
  }
}

function differenceOf(rolled: Bucket | undefined, { mean, stddev, ...exact }: Bucket): string | null {
  if (rolled === undefined) return 'is missing';
  const { mean: rolledMean, stddev: rolledStddev, ...rest } = rolled;
  if (JSON.stringify(rest) !== JSON.stringify(exact))
    return `${JSON.stringify(rest)}, raw samples say ${JSON.stringify(exact)}`;
  if (!isNear(rolledMean, mean, exact.max)) return `mean ${rolledMean}, raw samples say ${mean}`;
  if (!isNear(rolledStddev, stddev, exact.max)) return `stddev ${rolledStddev}, raw samples say ${stddev}`;
  return null;
}

function isNear(one: Bucket['mean'], other: Bucket['mean'], size: Bucket['max']): boolean {
  if (typeof one !== 'number' || typeof other !== 'number') return one === other;
  const scale = Math.max(Math.abs(other), typeof size === 'number' ? Math.abs(size) : 0);
  return Math.abs(one - other) <= TOLERANCE * scale;
}
