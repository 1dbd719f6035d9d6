/**
 * Source `sim`: sensors that do not exist, for demonstrations and tests.
 *
 * Each sensor reads 0 … 100 like an analogue input between two rails: noise around its own centre, which itself swings
 * so slowly that a detection window sees it stand still. What a sensor does without a fault is thus no anomaly. Now and
 * then it misbehaves: a spike of one sample, a reading that is stuck, or a fall to the lower or upper rail. The
 * sequence of values depends on the seed only, not on time.
 */
import { defer, type Observable } from 'rxjs';
import { z } from 'zod';
import { type Random, seededRandom } from '../../../platform/random.ts';
import type { Series } from '../../../protocol/sample.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import { sampleEvery } from '../../../streams/sample-every.ts';
import { flagOption, nameOption, numberOption } from '../option.ts';
import type { RawSample, Source, SourceEnv } from '../source.ts';
import { sourceKind } from '../source-kind.ts';

const simSpecSchema = z.strictObject({
  kind: z.literal('sim'),
  name: nameOption,
  hz: numberOption({ min: 0.001, max: 1000 }).default(10).describe('samples a second'),
  sensors: numberOption({ min: 1, max: 4096, integer: true }).default(4).describe('number of sensors'),
  seed: numberOption({ min: 0, max: 2 ** 32 - 1, integer: true })
    .optional()
    .describe('the same seed gives the same values; default: a fresh one at each start'),
  noise: numberOption({ min: 0, max: 50 }).default(0.4).describe('standard deviation of the noise'),
  faults: flagOption.default(true).describe('whether sensors misbehave now and then'),
});
export type SimSpec = z.infer<typeof simSpecSchema>;

export const SIM_SERIES = 'sim.sensor';
/** Readings of the rails, with room for the noise of a sensor that sits on one. */
const RAIL_LOW = 0;
const RAIL_HIGH = 100;
const RAIL_MARGIN = 0.5;
/** Samples between two faults of one sensor, on average. */
const FAULT_EVERY = 1200;
const STUCK_SAMPLES = 120;
const RAIL_SAMPLES = 60;
/** Noise ends at this many standard deviations: chance alone shall stay below the usual threshold of 3. */
const MAX_DEVIATION = 2.25;
/**
 * Least deviation to judge by, in standard deviations of the noise: an estimate from few values, or from values that
 * were stuck, comes out too small. The least of all keeps the steps of the converter out where there is no noise.
 */
const FLOOR_OF_NOISE = 1.25;
const LEAST_FLOOR = 0.1;

export const simSource = sourceKind({
  schema: simSpecSchema,
  what: 'sensors that do not exist, for demonstrations and tests',
  example: 'sim:hz=10,sensors=4,seed=7',
  create: createSimSource,
});

function createSimSource(spec: SimSpec, name: string, env: SourceEnv): Source {
  const periodMs = 1000 / spec.hz;
  const schema = internSchema({
    source: name,
    boot: env.clock.bootId,
    series: Array.from({ length: spec.sensors }, (_, index) => ({
      name: SIM_SERIES,
      attributes: { sensor: String(index + 1) },
      unit: '1',
    })),
  });
  const start = (): Observable<RawSample> => {
    const seed = spec.seed ?? Math.floor(env.random.next() * 2 ** 32);
    const sensors = Array.from({ length: spec.sensors }, (_, index) =>
      simulateSensor(spec, seededRandom((seed + Math.imul(index, 0x9e3779b1)) >>> 0)),
    );
    const take = () => ({
      schema,
      ts: env.clock.now(),
      mono: env.clock.mono(),
      values: sensors.map((read) => read()),
    });
    return sampleEvery(periodMs, take, env.clock.scheduler);
  };
  const traits = (_series: Series) => ({
    min: RAIL_LOW,
    max: RAIL_HIGH,
    railLow: RAIL_LOW + RAIL_MARGIN,
    railHigh: RAIL_HIGH - RAIL_MARGIN,
    minStddev: Math.max(LEAST_FLOOR, FLOOR_OF_NOISE * spec.noise),
    stuckAfterMs: Math.max(1, Math.round((periodMs * STUCK_SAMPLES) / 3)),
  });
  return { name, time: 'clock', samples: () => defer(start), traits, beginsWith: 'process' };
}

type Fault =
  | { readonly kind: 'stuck'; readonly until: number; readonly value: number }
  | { readonly kind: 'rail'; readonly until: number; readonly rail: 'low' | 'high' };

/** One sensor: each call gives its next reading, rounded to hundredths as a real converter's steps would. */
function simulateSensor(spec: SimSpec, random: Random): () => number {
  const centre = 35 + 30 * random.next();
  const swing = 2 + 2 * random.next();
  // In samples; within a window of 300 the swing moves by less than a tenth of itself.
  const period = 36_000 + 36_000 * random.next();
  const phase = random.next() * 2 * Math.PI;
  let step = 0;
  let fault: Fault | null = null;
  let last = centre;
  return () => {
    const at = step;
    step += 1;
    let value =
      centre + swing * Math.sin(phase + (2 * Math.PI * at) / period) + spec.noise * clippedGaussian(random);
    if (fault !== null && at >= fault.until) fault = null;
    if (fault === null && spec.faults && random.next() < 1 / FAULT_EVERY) {
      const kind = random.next();
      if (kind < 0.5) value += (random.next() < 0.5 ? -1 : 1) * (15 + 10 * random.next());
      else if (kind < 0.7) fault = { kind: 'stuck', until: at + STUCK_SAMPLES, value: last };
      else fault = { kind: 'rail', until: at + RAIL_SAMPLES, rail: kind < 0.9 ? 'low' : 'high' };
    }
    if (fault !== null) value = fault.kind === 'stuck' ? fault.value : railReading(fault.rail, random);
    last = Math.min(RAIL_HIGH, Math.max(RAIL_LOW, Math.round(value * 100) / 100));
    return last;
  };
}

function railReading(rail: 'low' | 'high', random: Random): number {
  const offset = random.next() * RAIL_MARGIN * 0.5;
  return rail === 'low' ? RAIL_LOW + offset : RAIL_HIGH - offset;
}

/** Standard normal deviate (Box–Muller), with its tails cut off. */
function clippedGaussian(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  const deviate = radius * Math.cos(2 * Math.PI * random.next());
  return Math.min(MAX_DEVIATION, Math.max(-MAX_DEVIATION, deviate));
}
