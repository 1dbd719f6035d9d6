/**
 * A stampede: thousands of agents lose HQ at the same moment, go on without it, and have it back at the same moment.
 *
 * HQ is the real one, as in `run-world.ts`; the agents are light (see `light-agent.ts`): it is their number that
 * counts. What is measured is what goes over the wire and what is on the disks.
 */
import { config as rxConfig } from 'rxjs';
import { agentConfigSchema } from '../../src/agent/config.ts';
import { hqConfigSchema } from '../../src/hq/config.ts';
import { createAgentTruth } from '../check/agent-truth.ts';
import { type CheckOptions, checkAlways, checkDrained } from '../check/check-world.ts';
import { createHqTruth, type HqTruth } from '../check/hq-truth.ts';
import { createStampedeWatch, type StampedeFigures } from '../check/stampede-watch.ts';
import { createViolations, type Violation, type Violations } from '../check/violations.ts';
import { type Chance, createChance } from '../kernel/chance.ts';
import { createDisk } from '../kernel/disk.ts';
import { freeLine } from '../kernel/line-shape.ts';
import { createMachine } from '../kernel/machine.ts';
import { createNetwork } from '../kernel/network.ts';
import type { Network } from '../kernel/network-port.ts';
import { createTimeline, type Timeline } from '../kernel/timeline.ts';
import { createLightAgent } from './light-agent.ts';
import { createSampling, type Sampling } from './sampling.ts';
import { createSimHq } from './sim-hq.ts';

export type StampedeOptions = {
  readonly seed: number;
  readonly agents: number;
  /** Between two samples of one agent, ms. */
  readonly periodMs: number;
  /** How long HQ is away, ms. */
  readonly outageMs: number;
  /** `limits.reconnectsPerSecond` of HQ. */
  readonly reconnectsPerSecond: number;
  /** `limits.drainSlots` of HQ. */
  readonly drainSlots: number;
  /** HQ's storage fails for so long before it dies, ms: the breakers of its agents open. */
  readonly failingMs: number;
  /** The longest that draining may take after HQ's return, ms. */
  readonly drainWithinMs: number;
};

export type StampedeResult = StampedeFigures & {
  readonly violations: readonly Violation[];
  readonly simulatedMs: number;
  readonly steps: number;
  readonly samples: number;
  /** Agents whose breaker was open when HQ returned. */
  readonly breakersOpen: number;
};

/** Agents start over this time, and then have as much again to deliver, ms. */
const DELAY_MS = [10, 60] as const;
const START_MS = 20_000;
/** Each agent has one after the last has come, so that all know the hint of a full HQ. */
const HEARTBEAT_MS = START_MS;
const LOOK_MS = 100;
/** After sampling has ended: what is under way arrives, ms. */
const CALM_MS = 5_000;

export function runStampede(options: StampedeOptions): StampedeResult {
  const { seed, outageMs, reconnectsPerSecond, drainSlots, failingMs, drainWithinMs } = options;
  const chance = createChance(seed);
  const timeline = createTimeline();
  const note = () => {};
  const violations = createViolations(timeline.now, note);
  const crashed = (error: unknown) =>
    violations.report('crash', error instanceof Error ? (error.stack ?? error.message) : String(error));
  rxConfig.onUnhandledError = crashed;

  const hqTruth = createHqTruth(violations);
  const watch = createStampedeWatch({ now: timeline.now, atHq: hqTruth.epoch });
  const network = createNetwork({
    timeline,
    chance: chance.stream('network'),
    note,
    usualDelayMs: DELAY_MS,
    onArrival: watch.arrived,
    onCredit: watch.credit,
    onAnswer: (answer) => {
      hqTruth.answered(answer);
      watch.answered(answer);
    },
  });
  const hqDisk = createDisk(chance.stream('hq-disk'), {
    onWritten: (operations) => {
      hqTruth.wrote(operations);
      watch.wrote();
    },
  });
  const hq = createSimHq({
    config: hqConfigSchema.parse({ limits: { drainSlots, reconnectsPerSecond } }),
    chance: chance.stream('hq'),
    machine: createMachine(timeline, 'hq'),
    server: network.server,
    disk: hqDisk,
    lateStore: false,
    viewers: [],
    timeline,
    note,
  });
  const sampling = createSampling();
  const subjects = createLightSubjects(options, {
    chance,
    timeline,
    violations,
    hqTruth,
    network,
    sampling,
    crashed,
  });
  const agents = subjects.map(({ agent }) => agent);
  const checks: CheckOptions = { subjects, hq: hqTruth, hqRecords: hqDisk.records, violations };

  let breakersOpen = 0;
  try {
    hq.start();
    for (const agent of agents) timeline.after(chance.between(0, START_MS), agent.start);
    timeline.runUntil(2 * START_MS);
    hqDisk.faults.failing = failingMs > 0;
    timeline.runUntil(2 * START_MS + failingMs);
    hq.kill(false);
    hqDisk.faults.failing = false;
    timeline.runUntil(timeline.now() + outageMs);

    breakersOpen = agents.filter((agent) => agent.running()?.uplink.status().breaker === 'open').length;
    watch.back();
    hq.start();
    const end = timeline.now() + drainWithinMs;
    while (timeline.now() < end && !watch.isOver(agents.length)) timeline.runUntil(timeline.now() + LOOK_MS);
    sampling.becomeQuiet();
    timeline.runUntil(timeline.now() + CALM_MS);
    checkAlways(checks);
    checkDrained(checks);
  } catch (error) {
    crashed(error);
  }
  return {
    ...watch.figures(),
    breakersOpen,
    violations: violations.list(),
    simulatedMs: timeline.now(),
    steps: timeline.steps(),
    samples: sampling.sampled(),
  };
}

type Parts = {
  readonly chance: Chance;
  readonly timeline: Timeline;
  readonly violations: Violations;
  readonly hqTruth: HqTruth;
  readonly network: Network;
  readonly sampling: Sampling;
  readonly crashed: (error: unknown) => void;
};

function createLightSubjects(options: StampedeOptions, parts: Parts) {
  const { chance, timeline, violations, hqTruth, network, sampling, crashed } = parts;
  const settings = {
    config: agentConfigSchema.parse({ uplink: { heartbeatMs: HEARTBEAT_MS } }),
    periodMs: options.periodMs,
    noisySeries: 0,
    compactSamples: 512,
    line: freeLine(DELAY_MS),
  };
  return Array.from({ length: options.agents }, (_, index) => {
    const id = `agent-${index + 1}`;
    const own = chance.stream(id);
    const truth = createAgentTruth({
      agent: id,
      now: timeline.now,
      violations,
      everAtHq: (agent, epoch) => hqTruth.epoch(agent, epoch).ever,
      wasAtHq: hqTruth.wasStored,
    });
    const disk = createDisk(own.stream('disk'), { onWritten: truth.wrote });
    const agent = createLightAgent({
      id,
      settings,
      timeline,
      chance: own,
      machine: createMachine(timeline, id),
      wire: network.wire(id),
      disk,
      nextId: sampling.nextId,
      isQuiet: sampling.isQuiet,
      onFailed: crashed,
    });
    return { agent, truth };
  });
}
