/**
 * A world drawn from a seed: agents, HQ, the network between them, who looks on, and the truth about all that they
 * write.
 */
import { config as rxConfig } from 'rxjs';
import type { CheckOptions } from '../check/check-world.ts';
import { createHqTruth } from '../check/hq-truth.ts';
import { createViolations } from '../check/violations.ts';
import { createGarbler, type Garbler } from '../faults/garble.ts';
import { type Chance, createChance } from '../kernel/chance.ts';
import { createDisk, type Disk } from '../kernel/disk.ts';
import { createMachine } from '../kernel/machine.ts';
import { createNetwork } from '../kernel/network.ts';
import type { Network, NetworkOptions, PassFrame } from '../kernel/network-port.ts';
import { createTimeline, type Timeline } from '../kernel/timeline.ts';
import { createTrace, type Trace } from '../kernel/trace.ts';
import { createSubject, type SubjectWorld, type WholeSubject } from './create-subject.ts';
import { drawFallingLine, type FallingLine } from './falling-line.ts';
import { createLeaver, type Leaver } from './leaver.ts';
import { createSampling, type Sampling } from './sampling.ts';
import { type AgentSettings, drawAgent, drawHq } from './settings.ts';
import type { SimAgent } from './sim-agent.ts';
import { createSimHq, type SimHq } from './sim-hq.ts';
import { createViewer, type Viewer } from './viewer.ts';

export type WorldOptions = {
  readonly seed: number;
  readonly hours: number;
  /** Told of each line of the trace. */
  readonly onLine?: ((line: string) => void) | undefined;
  /** Changes what the seed drew for each agent. */
  readonly alter?: ((drawn: AgentSettings) => AgentSettings) | undefined;
  /** What comes of frames on their way, in place of what the seed drew. */
  readonly passFrame?: PassFrame | undefined;
  /** HQ's store answers late. */
  readonly lateStore: boolean;
  /** Whether the seed may draw a world in which nothing goes wrong but one line. */
  readonly mayFallingLine: boolean;
  readonly onCredit: NonNullable<NetworkOptions['onCredit']>;
  readonly watch: NonNullable<NetworkOptions['watch']>;
};

export type World = SubjectWorld &
  Sampling & {
    readonly chance: Chance;
    readonly timeline: Timeline;
    readonly trace: Trace;
    readonly hqDisk: Disk;
    readonly hq: SimHq;
    readonly viewers: readonly Viewer[];
    /** The agents first, in their order, then copies of them. */
    readonly subjects: WholeSubject[];
    readonly agents: readonly SimAgent[];
    /** Copies of some of them, as cloned disks make them. */
    readonly copies: SimAgent[];
    readonly checks: CheckOptions;
    readonly fallingLine: FallingLine | null;
    readonly leaver: Leaver | null;
    readonly garbler: Garbler;
    /** When sampling ends, ms of virtual time. */
    readonly end: number;
    /** When all faults end. */
    readonly healAt: number;
    readonly crashed: (error: unknown) => void;
  };

const HOUR_MS = 3_600_000;
/** Faults have ended by then. */
const HEALED_SHARE = 0.8;

export function createWorld(options: WorldOptions): World {
  const chance = createChance(options.seed);
  const timeline = createTimeline();
  const trace = createTrace(timeline.now, options.onLine);
  const violations = createViolations(timeline.now, trace.note);
  const crashed = (error: unknown) =>
    violations.report('crash', error instanceof Error ? (error.stack ?? error.message) : String(error));
  rxConfig.onUnhandledError = crashed;

  const shape = chance.stream('shape');
  const usualDelayMs = shape.pick([
    [1, 5],
    [10, 60],
    [250, 400],
  ] as const);
  const hqTruth = createHqTruth(violations);
  const end = options.hours * HOUR_MS;
  const span = { end, healAt: end * HEALED_SHARE };
  const { now } = timeline;
  const garbler = createGarbler(chance.stream('garble'), { until: span.healAt, now, note: trace.note });
  const network = createNetwork({
    timeline,
    chance: chance.stream('network'),
    note: trace.note,
    onAnswer: hqTruth.answered,
    onCredit: options.onCredit,
    passFrame: options.passFrame ?? garbler.pass,
    watch: options.watch,
    usualDelayMs,
  });
  const base = { chance, timeline, trace, note: trace.note, violations, crashed, hqTruth, network };
  const served = serveHq({ ...base, ...span, lateStore: options.lateStore }, shape);
  const sampling = createSampling();
  const fallingLine = drawFallingLine(chance.stream('falling-line'), { spanMs: end, healAt: span.healAt });
  const subjects = Array.from({ length: shape.whole(1, 4) }, (_, index) => {
    const id = `agent-${index + 1}`;
    const own = chance.stream(id);
    const drawn = drawAgent(own.stream('settings'), { hours: options.hours, usualDelayMs });
    const falls = index === 0 && options.mayFallingLine;
    const falling = falls ? (fallingLine?.alter(drawn) ?? drawn) : drawn;
    const settings = options.alter?.(falling) ?? falling;
    return createSubject({ ...base, ...sampling }, { id, name: id, settings, chance: own });
  });
  const agents = subjects.map(({ agent }) => agent);
  const checks = { subjects, hq: hqTruth, hqRecords: served.hqDisk.records, violations };
  const leaver =
    fallingLine === null
      ? createLeaver({ ...base, ...span, ...served, chance: chance.stream('leaver') })
      : null;
  const parts = { fallingLine, leaver, garbler, subjects, agents, copies: [], checks };
  return { ...base, ...span, ...served, ...sampling, ...parts };
}

/** HQ, its disk, and who looks at its dashboard. */
function serveHq(
  world: Pick<World, 'chance' | 'timeline' | 'note' | 'hqTruth' | 'violations' | 'healAt'> & {
    readonly network: Network;
    readonly lateStore: boolean;
  },
  shape: Chance,
): Pick<World, 'hq' | 'hqDisk' | 'viewers'> {
  const { chance, timeline, note, hqTruth, violations, healAt, network, lateStore } = world;
  const hqDisk = createDisk(chance.stream('hq-disk'), {
    onWritten: (operations) => {
      note(`hq wrote ${operations.length}`);
      hqTruth.wrote(operations);
    },
  });
  const onlookers = chance.stream('viewers');
  const viewers = Array.from({ length: onlookers.whole(0, 2) }, (_, index) =>
    createViewer({
      timeline,
      chance: onlookers.stream(String(index)),
      healAt,
      onWrong: (what) => violations.report('dashboard', `dashboard ${index + 1} ${what}`),
      onCut: () => note(`dashboard ${index + 1} is cut off`),
    }),
  );
  const hq = createSimHq({
    config: drawHq(shape),
    chance: chance.stream('hq'),
    machine: createMachine(timeline, 'hq'),
    server: network.server,
    disk: hqDisk,
    lateStore,
    viewers,
    timeline,
    note,
  });
  return { hq, hqDisk, viewers };
}
