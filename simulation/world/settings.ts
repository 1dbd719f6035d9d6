/** The settings of a simulated world: drawn from its seed, within what operators may choose. */
import { type AgentConfig, agentConfigSchema } from '../../src/agent/config.ts';
import { PRESETS } from '../../src/agent/presets.ts';
import { type HqConfig, hqConfigSchema } from '../../src/hq/config.ts';
import type { Chance } from '../kernel/chance.ts';

const HOUR_MS = 3_600_000;
const KIB = 1024;
const MIB = 1024 * KIB;

export type AgentSettings = {
  readonly config: AgentConfig;
  /** Of its one source, ms. */
  readonly periodMs: number;
  /** Series beside the few that every source has, full of noise: they fill a journal quickly. */
  readonly noisySeries: number;
  /** Of its journal: small, so that there is something to seal. */
  readonly sealSamples: number;
};

export function drawAgent(chance: Chance, hours: number): AgentSettings {
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
  // Smaller than anybody would choose, so that a short run sees a full journal. Thinning takes many samples to do anything.
  const thins = config.journal.overflow === 'thin';
  const maxBytes = thins ? 16 * KIB : chance.pick([64 * KIB, 512 * KIB, 64 * MIB]);
  return {
    config: { ...config, journal: { ...config.journal, maxBytes } },
    // A day has as many samples as an hour: what matters happens between them.
    periodMs: Math.max(900, Math.round((hours * HOUR_MS) / (thins ? 400 : chance.pick([40, 100, 200, 400])))),
    noisySeries: thins ? 40 : chance.pick([0, 40, 40]),
    sealSamples: chance.pick([4, 16, 64, 512]),
  };
}

export function drawHq(chance: Chance): HqConfig {
  return hqConfigSchema.parse({
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
}
