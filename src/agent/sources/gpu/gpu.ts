/**
 * Source `gpu`: the NVIDIA GPUs of the machine, by what nvidia-smi prints of them.
 *
 * A program that is missing, fails or hangs at the start is a failure of the source, which its supervisor reports and
 * tries again. Later it costs the values of that moment only, is reported once, and is killed when it hangs; no other
 * is started before it has ended. A field that a GPU does not have is no series.
 */
import { concatMap, defer, exhaustMap, finalize, map, type Observable, of } from 'rxjs';
import { z } from 'zod';
import type { Series } from '../../../protocol/sample.ts';
import { sampleEvery } from '../../../streams/sample-every.ts';
import { createCollectAll } from '../collect/collect-all.ts';
import type { Reading } from '../collect/collector.ts';
import { createRemarks } from '../collect/remarks.ts';
import { createSchemaKeeper } from '../collect/schema-keeper.ts';
import { createSeriesCatalogue } from '../collect/series-catalogue.ts';
import { durationOption, nameOption } from '../option.ts';
import type { RawSample, SeriesTraits, Source, SourceEnv } from '../source.ts';
import { sourceKind } from '../source-kind.ts';
import { GPU_FIELDS, NAMING_FIELDS } from './fields.ts';
import { parseOutput, shown, unknownField } from './parse-output.ts';
import { createProgram, type Program } from './program.ts';
import { createGpuReadings, type GpuReadings } from './readings.ts';

const gpuSpecSchema = z.strictObject({
  kind: z.literal('gpu'),
  name: nameOption,
  every: durationOption({ min: 100, max: 86_400_000 })
    .default(5000)
    .describe('time between samples, such as `5s`'),
  path: z.string().min(1).default('nvidia-smi').describe('the program that is asked'),
  timeout: durationOption({ min: 100, max: 600_000 })
    .default(10_000)
    .describe('how long it may take before it is killed, such as `10s`'),
});
export type GpuSpec = z.infer<typeof gpuSpecSchema>;

const COLLECTOR = 'nvidia-smi';
/** Beyond its own timeout, ms: the program speaks first. */
const GRACE_MS = 1000;

export const gpuSource = sourceKind({
  schema: gpuSpecSchema,
  what: 'measures the NVIDIA GPUs of the machine, by asking `nvidia-smi`',
  example: 'gpu:every=5s',
  create: createGpuSource,
});

function createGpuSource(spec: GpuSpec, name: string, env: SourceEnv): Source {
  // Of all runs of the source: what hangs may do so for longer than one of them.
  const program = createProgram(spec.path, spec.timeout, env.clock.scheduler);
  return {
    name,
    time: 'clock',
    samples: () => defer(() => watch({ spec, name, env, program })),
    traits,
    beginsWith: 'boot',
  };
}

const CUMULATIVE = new Set(GPU_FIELDS.filter((one) => one.cumulative).map(({ series }) => series));
function traits({ name }: Series): SeriesTraits {
  return CUMULATIVE.has(name) ? { cumulative: true } : {};
}

type Watched = {
  readonly spec: GpuSpec;
  readonly name: string;
  readonly env: SourceEnv;
  readonly program: Program;
};

function watch({ spec, name, env, program }: Watched): Observable<RawSample> {
  const { clock, emit } = env;
  const remarks = createRemarks(name, emit);
  const remark = (topic: string, text: string | null) => remarks.remark(COLLECTOR, topic, text);
  const readings = createGpuReadings({ series: createSeriesCatalogue(), remark });
  const asked = createQuestion({ program, readings, remark });
  const collector = { name: COLLECTOR, collect: asked, timeoutMs: spec.timeout + GRACE_MS };
  const all = createCollectAll([collector], { source: name, timeoutMs: spec.timeout, clock, emit });
  const schemaOf = createSchemaKeeper(name, clock.bootId);
  const ticks$ = sampleEvery(spec.every, () => ({ ts: clock.now(), mono: clock.mono() }), clock.scheduler);
  const rounds$ = ticks$.pipe(
    exhaustMap(({ ts, mono }) =>
      all.round().pipe(
        map(({ readings: found, diagnostics }) => ({
          schema: schemaOf(found.map(({ series }) => series)),
          ts,
          mono,
          values: found.map(({ value }) => value),
          diagnostics: [...diagnostics, ...remarks.take()],
        })),
      ),
    ),
  );
  // What cannot be asked at all is told by the failure of the source.
  return asked().pipe(
    concatMap(() => rounds$),
    finalize(() => all.dispose()),
  );
}

type Question = {
  readonly program: Program;
  readonly readings: GpuReadings;
  readonly remark: (topic: string, text: string | null) => void;
};

/** Asks for the fields that the driver knows; those that it does not know are found out by asking. */
function createQuestion({ program, readings, remark }: Question): () => Observable<readonly Reading[]> {
  let fields: readonly string[] = [...NAMING_FIELDS, ...GPU_FIELDS.map(({ field }) => field)];
  const ask = (): Observable<readonly Reading[]> =>
    defer(() => program.run([`--query-gpu=${fields.join(',')}`, '--format=csv,nounits'])).pipe(
      concatMap(({ code, output }) => {
        if (code === 0) return of(someOf(readings.of(parseOutput(output, fields))));
        const unknown = unknownField(output);
        const others = fields.filter((field) => field !== unknown);
        if (unknown === null || others.length === fields.length)
          throw new Error(`nvidia-smi ends with code ${code}: ${shown(output)}`);
        fields = others;
        remark(`field ${unknown}`, `this driver knows no ${unknown}`);
        return ask();
      }),
    );
  return ask;
}

function someOf(found: readonly Reading[]): readonly Reading[] {
  if (found.length === 0) throw new Error('nvidia-smi finds no GPU that says anything');
  return found;
}
