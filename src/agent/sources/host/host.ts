/**
 * Source `host`: the machine itself, under the names and units of OpenTelemetry's system metrics.
 *
 * Reads /proc and /sys on Linux, those below `root` and no others; elsewhere it asks systeminformation. Counters are
 * given as they are, growing since boot. A device that comes or goes gives a new schema. A collector that fails or
 * hangs gives no values until it works again, is reported once, and stops no other.
 */
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { defer, exhaustMap, finalize, isObservable, map, type Observable, of, switchMap } from 'rxjs';
import { z } from 'zod';
import { MAX_SERIES_PER_SCHEMA } from '../../../protocol/sample.ts';
import { sampleEvery } from '../../../streams/sample-every.ts';
import { createCollectAll } from '../collect/collect-all.ts';
import { createRemarks } from '../collect/remarks.ts';
import { createSchemaKeeper } from '../collect/schema-keeper.ts';
import { createSeriesCatalogue } from '../collect/series-catalogue.ts';
import { durationOption, flagOption, nameOption, numberOption } from '../option.ts';
import type { RawSample, Source, SourceEnv } from '../source.ts';
import { sourceKind } from '../source-kind.ts';
import type { Collector, CollectorFactory } from './collector.ts';
import { procCollectors } from './collectors/all.ts';
import { portableCollectors } from './collectors/portable.ts';
import { createHostFiles, type HostFiles } from './files.ts';
import { hostTraits } from './host-traits.ts';

const hostSpecSchema = z.strictObject({
  kind: z.literal('host'),
  name: nameOption,
  every: durationOption({ min: 50, max: 86_400_000 })
    .default(1000)
    .describe('time between samples, such as `1s`'),
  root: z
    .string()
    .min(1)
    .default('/')
    .describe(
      'where the whole machine is found (`/`, with /proc and /sys in it), for an agent in a container that watches ' +
        'its host',
    ),
  maxDevices: numberOption({ min: 1, max: 1000, integer: true })
    .default(64)
    .describe('disks, mount points, interfaces and sensors of each kind that are measured at most'),
  perCore: flagOption.default(false).describe('each CPU too (`system.cpu.utilization{cpu=0}`)'),
  pressure: flagOption
    .default(false)
    .describe('the share of time in which tasks waited for CPU, memory or disks (PSI, `system.pressure`)'),
  tmpfs: flagOption.default(false).describe('file systems in memory too'),
});
export type HostSpec = z.infer<typeof hostSpecSchema>;

/** A round waits for its slowest collector at most this long … */
const MAX_TIMEOUT_MS = 2000;
/** … and at least this long, even where samples come quicker: a machine that is busy is not one that hangs. */
const MIN_TIMEOUT_MS = 500;

/** A program that starts takes all of a CPU for a moment: what lasts for less is no trouble. */
const JUDGED_MS = 10_000;

export const hostSource = sourceKind({
  schema: hostSpecSchema,
  what: 'measures the machine that the agent runs on',
  example: 'host:every=5s',
  create: createHostSource,
});

function createHostSource(spec: HostSpec, name: string, env: SourceEnv): Source {
  return {
    name,
    time: 'clock',
    samples: () => defer(() => watch(spec, name, env)),
    traits: hostTraits,
    meanOf: Math.max(1, Math.round(JUDGED_MS / spec.every)),
    beginsWith: 'boot',
  };
}

function watch(spec: HostSpec, name: string, env: SourceEnv): Observable<RawSample> {
  const { clock, emit } = env;
  const { every, root, maxDevices, perCore, pressure, tmpfs } = spec;
  const remarks = createRemarks(name, emit);
  const access = {
    files: createHostFiles(root),
    series: createSeriesCatalogue(),
    precise: clock.precise,
    wanted: { perCore, pressure, tmpfs },
    maxDevices,
    remark: remarks.remark,
  };
  const collectors = collectorsFor(root).map((create) => withFiles(create(access), access.files));
  const timeoutMs = Math.min(MAX_TIMEOUT_MS, Math.max(MIN_TIMEOUT_MS, Math.ceil(every * 0.8)));
  const all = createCollectAll(collectors, { source: name, timeoutMs, clock, emit });
  const schemaOf = createSchemaKeeper(name, clock.bootId);
  return sampleEvery(every, () => ({ ts: clock.now(), mono: clock.mono() }), clock.scheduler).pipe(
    // A round that takes longer than the period lets ticks pass instead of piling up.
    exhaustMap(({ ts, mono }) => {
      access.files.beginRound();
      return all.round().pipe(
        map(({ readings, diagnostics }) => {
          const isOver = readings.length > MAX_SERIES_PER_SCHEMA;
          const text = `${readings.length} series were found and ${MAX_SERIES_PER_SCHEMA} are measured; lower maxDevices`;
          remarks.remark('all', 'series', isOver ? text : null);
          const kept = isOver ? readings.slice(0, MAX_SERIES_PER_SCHEMA) : readings;
          return {
            schema: schemaOf(kept.map(({ series }) => series)),
            ts,
            mono,
            values: kept.map(({ value }) => value),
            diagnostics: [...diagnostics, ...remarks.take()],
          };
        }),
      );
    }),
    finalize(() => all.dispose()),
  );
}

/** Throws where what `root` names cannot be measured: nothing else is measured in its place. */
function collectorsFor(root: string): readonly CollectorFactory[] {
  const stat = join(root, 'proc/stat');
  if (existsSync(stat)) return procCollectors;
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory() === false)
    throw new Error(`root: ${root} is a file; it has to name a folder in which the whole machine is mounted`);
  if (resolve(root) !== '/')
    throw new Error(`there is no ${stat}: root has to name a folder in which the whole machine is mounted`);
  if (process.platform === 'linux') throw new Error(`there is no ${stat}: /proc has to be mounted`);
  return portableCollectors;
}

/** Waits for files that others than the kernel answer for, in the isolation and within the timeout of the collector. */
function withFiles(collector: Collector, files: HostFiles): Collector {
  const { paths, collect } = collector;
  if (paths === undefined) return collector;
  return {
    ...collector,
    collect: () => {
      const missing = files.fetch(paths);
      if (missing === null) return collect();
      return missing.pipe(
        switchMap(() => {
          const answer = collect();
          return isObservable(answer) ? answer : of(answer);
        }),
      );
    },
  };
}
