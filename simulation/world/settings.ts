/** The settings of a simulated world: drawn from its seed, within what operators may choose. */
import { type AgentConfig, agentConfigSchema } from '../../src/agent/config.ts';
import { PRESETS } from '../../src/agent/presets.ts';
import { type HqConfig, hqConfigSchema } from '../../src/hq/config.ts';
import type { Chance } from '../kernel/chance.ts';
import { freeLine, type LineShape } from '../kernel/line-shape.ts';

const HOUR_MS = 3_600_000;
const KIB = 1024;
const MIB = 1024 * KIB;

export type AgentSettings = {
  readonly config: AgentConfig;
  /** Of its one source, ms. */
  readonly periodMs: number;
  /** Series besides the few that every source has, full of noise: they fill a journal quickly. */
  readonly noisySeries: number;
  /** Of its journal: small, so that there is something to compact. */
  readonly compactSamples: number;
  /** Its line when nothing is wrong with it. */
  readonly line: LineShape;
};

const SLOW_SHARE = 0.25;
const SLOW_DELAYS_MS = [
  [20, 30],
  [280, 320],
  [700, 800],
] as const;
/** Bytes per ms: 2.4 kbit/s at least; 256 kbit/s and 2 Mbit/s now and then. */
const SLOWEST_RATE = 0.3;
const FASTER_RATES = [32, 250] as const;
/** Most carry so many times what their agent measures: less would never catch up, more has hardly ever a backlog. */
const HEADROOMS = [
  [3, 8],
  [8, 20],
] as const;
/** Bytes a day for a few: used up within minutes. */
const BUDGETS = [20_000, 60_000] as const;
const BUDGET_SHARE = 0.1;
const VALUE_BYTES = 8;
/** Of a frame of one sample: everything but its noise, headers included. */
const SAMPLE_BYTES = 130;

export function drawAgent(
  chance: Chance,
  { hours, usualDelayMs }: { readonly hours: number; readonly usualDelayMs: LineShape['delayMs'] },
): AgentSettings {
  const preset = chance.pick(['lan', 'lan', 'lan', 'lte', 'remote-edge', 'multi-cloud'] as const);
  const config = agentConfigSchema.parse({
    preset,
    journal: {
      commitMs: chance.pick([0, 200, 200, 1_000, 5_000]),
      overflow: chance.pick(['thin', 'thin', 'drop-oldest', 'drop-newest', 'block'] as const),
    },
    uplink: {
      ...PRESETS[preset].uplink,
      heartbeatMs: chance.pick([5_000, 15_000, 60_000]),
      maxBytesPerSecond: chance.pick([0, 0, 0, 8 * KIB]),
      maxInFlight: chance.pick([1, 2, 8, 32]),
      ...(chance.chance(0.3) ? { breakerOpenMs: 30_000, breakerFailures: 2 } : {}),
    },
  });
  // Smaller than anybody would choose, so that a short run sees a full journal. Thinning takes many samples to do
  // anything.
  const thins = config.journal.overflow === 'thin';
  const maxBytes = thins ? 16 * KIB : chance.pick([64 * KIB, 512 * KIB, 64 * MIB]);
  const budget = chance.stream('budget');
  const maxBytesPerDay = budget.chance(BUDGET_SHARE) ? budget.pick(BUDGETS) : 0;
  const drawn = {
    config: {
      ...config,
      uplink: { ...config.uplink, maxBytesPerDay },
      journal: { ...config.journal, maxBytes },
    },
    // A day has as many samples as an hour: what matters happens between them.
    periodMs: Math.max(900, Math.round((hours * HOUR_MS) / (thins ? 400 : chance.pick([40, 100, 200, 400])))),
    noisySeries: thins ? 40 : chance.pick([0, 40, 40]),
    compactSamples: chance.pick([4, 16, 64, 512]),
  };
  const line = drawLine(chance.stream('line'), { ...drawn, usualDelayMs });
  if (!Number.isFinite(line.upRate)) return { ...drawn, line };
  // What is in flight is for the line to bound, in most.
  const { uplink } = drawn.config;
  const maxInFlight = chance.stream('slow').pick([uplink.maxInFlight, 8, 32, 32]);
  return { ...drawn, config: { ...drawn.config, uplink: { ...uplink, maxInFlight } }, line };
}

/** Bytes per ms that the samples of an agent take on the wire, each in a frame of its own. */
export function sampledRate({ periodMs, noisySeries }: Pick<AgentSettings, 'periodMs' | 'noisySeries'>) {
  return (SAMPLE_BYTES + noisySeries * VALUE_BYTES) / periodMs;
}

function drawLine(
  chance: Chance,
  drawn: Pick<AgentSettings, 'periodMs' | 'noisySeries'> & { readonly usualDelayMs: LineShape['delayMs'] },
): LineShape {
  if (!chance.chance(SLOW_SHARE)) return freeLine(drawn.usualDelayMs);
  const [least, most] = chance.pick(HEADROOMS);
  const enough = Math.max(SLOWEST_RATE, sampledRate(drawn) * chance.between(least, most));
  const rate = chance.chance(0.75) ? enough : Math.max(enough, chance.pick(FASTER_RATES));
  return { delayMs: chance.pick(SLOW_DELAYS_MS), upRate: rate, downRate: rate * chance.pick([1, 1, 4]) };
}

export function drawHq(chance: Chance): HqConfig {
  const drawn = hqConfigSchema.parse({
    chaosEnabled: true,
    limits: {
      creditFrames: chance.pick([1, 2, 8, 8, 32]),
      // From a stream of its own: the other draws are those of before.
      drainSlots: chance.stream('slots').pick([1, 1, 64]),
      maxFrameBytes: chance.pick([4 * KIB, 256 * KIB, 256 * KIB]),
      maxFrameSamples: chance.pick([64, 512, 4096, 4096]),
    },
    // What retention removes nobody can compare.
    retention: { rawDays: 36_500, maxBytes: 64 * 1024 * MIB },
  });
  // Fewer than operators may choose: an agent has one or two episodes in a short run.
  const maxAnomalies = chance.stream('anomalies').pick([1, 1, drawn.limits.maxAnomalies]);
  return { ...drawn, limits: { ...drawn.limits, maxAnomalies } };
}
