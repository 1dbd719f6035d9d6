/** Faults that are told by what the agents and HQ say of them, each in a world that has no other. */
import { describe, expect, it } from 'vitest';
import { decodeData, encodeGroups, readHeader } from '../../src/protocol/frame-codec.ts';
import type { Anomaly } from '../../src/protocol/sample.ts';
import { sized } from '../../tests/support/long.ts';
import type { PassFrame } from '../kernel/network-port.ts';
import { type RunOptions, runWorld } from '../world/run-world.ts';
import type { AgentSettings } from '../world/settings.ts';
import type { Fault } from './plan.ts';

const MINUTE = 60_000;
const SEEDS = sized([1], [1, 2, 3]);
const fault = (index: number, kind: Fault['kind'], at: number, forMs: number): Fault => ({
  index,
  kind,
  at,
  forMs,
  agents: [0],
  strength: 0.5,
  steps: 0,
});

const asItIs: PassFrame = (_, frame) => frame;

/** One that is used up would end connections, too, and is lifted by starting the agent again. */
function withoutBudget(settings: AgentSettings): AgentSettings {
  const { config } = settings;
  return { ...settings, config: { ...config, uplink: { ...config.uplink, maxBytesPerDay: 0 } } };
}

type Altered = Pick<RunOptions, 'alter' | 'passFrame'>;

function play(seed: number, faults: readonly Fault[], { alter, passFrame = asItIs }: Altered = {}) {
  const lines: string[] = [];
  const { violations, simulatedMs, gaps } = runWorld({
    seed,
    hours: 0.1,
    faults,
    passFrame,
    onLine: (line) => lines.push(line),
    alter: (drawn) => withoutBudget(alter === undefined ? drawn : alter(drawn)),
  });
  return { violations, lines, simulatedMs, gaps };
}

describe('a copy of an agent on a copy of its disk, while both live', () => {
  it.each(SEEDS)(
    'is refused, both are told, operators see an alarm, and it gets a life of its own: seed %i',
    (seed) => {
      const { violations, lines } = play(seed, [fault(0, 'agent_cloned', MINUTE, MINUTE)]);
      expect(violations).toEqual([]);
      const first = (end: string, from = 0) => {
        const at = lines.findIndex((line, index) => index >= from && line.endsWith(end));
        expect(at, end).toBeGreaterThanOrEqual(from);
        return at;
      };
      const started = first(' agent-1-copy-0 starts');
      first(' agent-1-copy-0 < hello duplicate_agent', started);
      first(' agent-1 duplicate_agent', started);
      first(' hq alarm of agent-1: duplicate_agent', started);
      const separated = first(' agent-1-copy-0 starts', started + 1);
      const delivers = (line: string) => line.endsWith(' agent-1-copy-0 < frame ok');
      expect(lines.slice(0, separated).some(delivers)).toBe(false);
      expect(lines.slice(separated).some(delivers)).toBe(true);
      // The original has lost nothing by it.
      expect(lines.some((line) => line.endsWith(' agent-1 epoch_forked'))).toBe(false);
    },
  );
});

describe('a journal that was rolled back', () => {
  it.each(SEEDS)(
    'is known as one also when it has more samples than HQ once it is heard again: seed %i',
    (seed) => {
      const { violations, lines } = play(seed, [
        fault(0, 'black_hole', 60_000, 60_000),
        fault(1, 'agent_rolled_back', 65_000, 1_000),
        fault(2, 'agent_crash', 115_000, 1_000),
      ]);
      expect(violations).toEqual([]);
      expect(lines.filter((line) => line.endsWith(' agent-1 epoch_forked'))).toHaveLength(1);
    },
  );
});

describe('a last commit that is torn', () => {
  it.each(SEEDS)('is recovered, and what it held is told as damage: seed %i', (seed) => {
    const faults = Array.from({ length: 12 }, (_, index) =>
      fault(index, 'agent_torn_write', (index + 1) * 20_000, 1_000),
    );
    const { violations, lines } = play(seed, faults);
    expect(violations).toEqual([]);
    const torn = lines.filter((line) => line.endsWith(' agent-1 torn while it wrote'));
    expect(torn.length).toBeGreaterThan(8);
    expect(lines.filter((line) => line.includes(' agent-1 journal_damaged: ')).length).toBeGreaterThan(0);
  });
});

describe("HQ's disk that is full for two minutes", () => {
  it.each(SEEDS)(
    'holds no agent for the rest of its open breaker, though no line was cut: seed %i',
    (seed) => {
      const heartbeatMs = 15_000;
      const full = { ...fault(0, 'hq_disk_full', MINUTE, 2 * MINUTE), strength: 0 };
      const alter = (drawn: AgentSettings) => {
        const uplink = {
          ...drawn.config.uplink,
          heartbeatMs,
          breakerFailures: 3,
          breakerOpenMs: 60 * MINUTE,
        };
        return { ...drawn, config: { ...drawn.config, uplink } };
      };
      const { violations, lines, simulatedMs } = play(seed, [full], { alter });
      expect(violations).toEqual([]);
      const agents = lines.filter((line) => / agent-\d starts$/.test(line)).length;
      const of = (end: string) => lines.filter((line) => line.endsWith(end)).map(Number.parseFloat);
      for (let agent = 1; agent <= agents; agent += 1) {
        expect(of(` agent-${agent} < hello ok`)).toHaveLength(1);
        const changes = of(` agent-${agent} breaker_changed`);
        const since = changes.findIndex((at) => at >= full.at + full.forMs);
        expect(since, 'it opened').toBeGreaterThan(0);
        // HQ's look at its disk, a heartbeat, and two probes.
        const closedAt = changes.at(-1) ?? Number.POSITIVE_INFINITY;
        expect(closedAt).toBeLessThan(full.at + full.forMs + heartbeatMs + 5_000);
      }
      // Nothing was left to be waited for at the end of sampling.
      expect(simulatedMs).toBeLessThan(7 * MINUTE);
    },
  );
});

describe('a sample that HQ never takes, among many that wait', () => {
  const POISONED = 20;
  const meaningless: Anomaly = {
    ...{ series: 0, state: 'closed', startTs: Number.NaN, peakTs: 0, peakValue: 9, peakZ: 9 },
    ...{ mean: 1, stddev: 1, endTs: 0 },
  };
  /** Gives the sample of the seq an anomaly at no time, in whatever frame it comes. */
  const poisoned: PassFrame = (wire, frame) => {
    const { kind, epoch, firstSeq, count } = readHeader(frame);
    const isIn = firstSeq <= POISONED && POISONED < firstSeq + count;
    if (wire !== 'agent-1' || kind !== 'data' || !isIn) return frame;
    const groups = decodeData(frame).groups.map((group) => {
      const row = group.seqs.indexOf(POISONED);
      return row < 0 ? group : { ...group, notes: [{ row, anomalies: [meaningless], diagnostics: [] }] };
    });
    return encodeGroups({ epoch, firstSeq, count, groups });
  };

  it.each(SEEDS)('is given up by its agent alone, and nothing else is: seed %i', (seed) => {
    const { violations, lines, gaps } = play(seed, [fault(0, 'black_hole', 100, 2 * MINUTE)], {
      alter: (drawn) => {
        const journal = { ...drawn.config.journal, maxBytes: 64 * 1024 * 1024 };
        return { ...drawn, periodMs: 1_000, config: { ...drawn.config, journal } };
      },
      passFrame: poisoned,
    });
    expect(violations).toEqual([]);
    expect(lines.filter((line) => line.endsWith(' agent-1 < frame bad_frame')).length).toBeGreaterThan(1);
    expect(gaps).toEqual({ rejected: 1 });
  });
});
