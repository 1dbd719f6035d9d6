/** One run: a world drawn from a seed, its faults, its healing, and everything that was found wrong with it. */
import type { AgentSummary } from '../../src/protocol/api.ts';
import { coveredCount } from '../../src/protocol/coverage.ts';
import { overBounds } from '../check/bounds-kept.ts';
import { checkBudgets } from '../check/budgets.ts';
import { checkAlways, checkDrained } from '../check/check-world.ts';
import { createLinkWatch, type LinkWatch } from '../check/link-watch.ts';
import { createLiveWatch } from '../check/live-lag.ts';
import { checkRollups } from '../check/rollup-truth.ts';
import { differences, type Shown } from '../check/shown.ts';
import type { Violation } from '../check/violations.ts';
import { createInjector, type Injector } from '../faults/inject.ts';
import { drawDamage, drawLineFaults, drawPlan, type Fault, type FaultKind } from '../faults/plan.ts';
import type { PassFrame } from '../kernel/network-port.ts';
import { createWorld, type World } from './create-world.ts';
import { createDiskSurgery, type SnapshottingSurgery } from './disk-surgery.ts';
import { drainBoundMs } from './drain-bound.ts';
import type { AgentSettings } from './settings.ts';
import type { SimAgent } from './sim-agent.ts';

export type RunOptions = {
  readonly seed: number;
  /** Simulated time with faults and, in its last fifth, without; draining comes on top. */
  readonly hours: number;
  /** Only these of the seed's faults, by index; all without it. */
  readonly only?: readonly number[];
  /** These faults in place of the seed's own. */
  readonly faults?: readonly Fault[];
  /** Changes what the seed drew for each agent. */
  readonly alter?: (drawn: AgentSettings) => AgentSettings;
  /** What comes of frames on their way to HQ, in place of what the seed drew. */
  readonly passFrame?: PassFrame;
  /** HQ's store answers late, as one on another machine would. */
  readonly lateStore?: boolean;
  /** Told of each line of the trace. */
  readonly onLine?: (line: string) => void;
};

export type RunResult = {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** Hash of the whole trace. */
  readonly digest: string;
  /** ms of virtual time. */
  readonly simulatedMs: number;
  readonly steps: number;
  readonly samples: number;
  /** Of those, how many reached HQ as parts of buckets only. */
  readonly thinned: number;
  /** How many seqs gaps at HQ stand for, by reason. */
  readonly gaps: Readonly<Record<string, number>>;
  readonly faults: readonly Fault[];
  readonly injected: Readonly<Partial<Record<FaultKind, number>>>;
};

/** A world, what happens to it, and who watches. */
type Run = {
  readonly world: World;
  readonly faults: readonly Fault[];
  readonly injector: Injector;
  readonly surgery: SnapshottingSurgery;
  readonly links: LinkWatch;
};

const NOTHING_SHOWN: Shown = new Map();
const CHECKS = 24;
/** What everybody who looks on sees once all is quiet, they see within this time. */
const SEEN_WITHIN_MS = 5_000;
/** So long an agent that was ordered to be removed may take. */
const GONE_WITHIN_MS = 120_000;
/** What a fault left behind has been noticed by then, besides what waits for an ack. */
const CALM_MS = 10_000;
/** Between two looks at whether everything has drained. */
const LOOK_MS = 1_000;

export function runWorld(options: RunOptions): RunResult {
  const { seed, hours, only, onLine, faults: given, alter, passFrame, lateStore = false } = options;
  const world = createWorld({
    seed,
    hours,
    onLine,
    alter,
    passFrame,
    lateStore,
    mayFallingLine: given === undefined,
    onCredit: (credit) => links.credited(credit),
    watch: {
      sent: (message) => links.sent(message),
      heard: (answer) => links.heard(answer),
      ended: (ended) => links.ended(ended),
    },
  });
  const { timeline, violations } = world;
  const plan = given ?? drawFaults(world, hours);
  const faults = only === undefined ? plan : plan.filter(({ index }) => only.includes(index));
  const injected: Partial<Record<FaultKind, number>> = {};
  const surgery = createDiskSurgery(world);
  const injector = createInjector({
    ...world,
    surgery,
    onInjected: ({ kind }) => {
      injected[kind] = (injected[kind] ?? 0) + 1;
    },
  });
  injector.schedule(faults);
  const links = watchLinks(world, injector, faults);

  const run: Run = { world, faults, injector, surgery, links };
  attempt(world, () => {
    world.hq.start();
    for (const agent of world.agents) agent.start();
  });
  sufferFaults(run);
  attempt(world, injector.heal);
  drain(run);
  seeLeaverOff(world);
  checkDashboards(world);
  checkBounds(world);
  return {
    seed,
    violations: violations.list(),
    digest: world.trace.digest(),
    simulatedMs: timeline.now(),
    steps: timeline.steps(),
    samples: world.sampled(),
    thinned: epochsAt(world).reduce((sum, { thinned }) => sum + coveredCount(thinned), 0),
    gaps: countGaps(world),
    faults,
    injected,
  };
}

function epochsAt({ hqTruth }: World) {
  return [...hqTruth.agents().values()].flatMap((epochs) => [...epochs.values()]);
}

function countGaps(world: World): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { gaps } of epochsAt(world)) {
    for (const [reason, gap] of gaps) counts[reason] = (counts[reason] ?? 0) + coveredCount(gap);
  }
  return counts;
}

/** What the seed has in store for its world. */
function drawFaults({ chance, agents, fallingLine }: World, hours: number): readonly Fault[] {
  if (fallingLine !== null) return fallingLine.faults;
  const drawn = drawPlan(chance.stream('plan'), { hours, agents: agents.length });
  const slow = [...agents.keys()].filter((index) => isSlow(agents[index]));
  const changes = drawLineFaults(chance.stream('line-plan'), { hours, slow, from: drawn.length });
  const from = drawn.length + changes.length;
  return [...drawn, ...changes, ...drawDamage(chance.stream('damage-plan'), { hours, from })];
}

function watchLinks(world: World, injector: Injector, faults: readonly Fault[]): LinkWatch {
  const { timeline, violations, agents, copies } = world;
  /** A copy, and an agent that has one, is refused for a while. */
  const isCalm = (name: string) => {
    if (world.garbler.troubles(name)) return false;
    const at = placeOf(world, name);
    const agent = agents[at];
    if (agent === undefined || copies.some(({ id }) => id === agent.id || id.startsWith(`${agent.id}-`)))
      return false;
    // A budget that is used up ends connections.
    if (agent.settings.config.uplink.maxBytesPerDay > 0) return false;
    const calmMs = CALM_MS + 2 * agent.settings.config.uplink.ackTimeoutMs;
    return timeline.now() - injector.calmSince(at) > calmMs;
  };
  const mayLackSchemas = (name: string) =>
    faults.some(
      ({ kind, agents: whom }) =>
        (kind === 'agent_record_damaged' || kind === 'agent_torn_write') &&
        whom.some((one) => name.startsWith(agents[one]?.id ?? name)),
    );
  return createLinkWatch({ timeline, violations, isCalm, mayLackSchemas });
}

/** Until the healing. */
function sufferFaults({ world, faults, surgery }: Run): void {
  const { agents, violations, healAt, checks } = world;
  const hasWrongClock = (agent: number) =>
    faults.some(({ kind, agents: whom }) => kind.startsWith('agent_clock') && whom.includes(agent));
  for (let check = 1; check <= CHECKS && isFine(world); check += 1) {
    runUntil(world, (healAt * check) / CHECKS);
    checkAlways(checks);
    checkBudgets({ agents: agents.filter((_, index) => !hasWrongClock(index)), violations });
    surgery.keep();
  }
}

/** From the healing until everything is at HQ, or should be. */
function drain({ world, links }: Run): void {
  const { timeline, violations, subjects, agents, copies, hq, end, checks } = world;
  const lineOf = (name: string) => agents[placeOf(world, name)]?.wire.faults;
  const live = createLiveWatch({ timeline, subjects, hq: world.hqTruth, violations, lineOf });
  const boundMs = () => drainBoundMs({ agents: [...agents, ...copies], hq });
  const deadline = timeline.now() + boundMs();
  while (isFine(world) && timeline.now() < end) {
    runUntil(world, Math.min(end, timeline.now() + LOOK_MS));
    live.look();
    links.look(subjects);
  }
  world.becomeQuiet();
  const late = Math.max(deadline, end + boundMs());
  const left = () => [...agents, ...copies].flatMap((agent) => whatIsLeft(agent) ?? []);
  while (isFine(world) && timeline.now() < late && left().length > 0) {
    runUntil(world, timeline.now() + LOOK_MS);
    links.look(subjects);
  }
  if (isFine(world)) {
    for (const what of left()) violations.report('not_drained', what);
    checkAlways(checks);
  }
  if (isFine(world)) checkDrained(checks);
  if (isFine(world)) world.note(`rollups of ${checkRollups(checks)} agents are complete`);
}

/** The agent that was removed for good is gone soon after all has healed, with all that was stored of it. */
function seeLeaverOff(world: World): void {
  const { timeline, violations, leaver } = world;
  if (leaver === null) return;
  const goneBy = timeline.now() + GONE_WITHIN_MS;
  while (isFine(world) && timeline.now() < goneBy && !leaver.isGone())
    runUntil(world, timeline.now() + LOOK_MS);
  if (!isFine(world)) return;
  if (!leaver.isGone()) violations.report('not_removed', 'an agent that was to be removed is not gone');
  else leaver.check(violations);
}

/** Everybody who looks on sees soon what HQ knows. */
function checkDashboards(world: World): void {
  const { timeline, violations, viewers, hq } = world;
  const shownWrong = () => {
    const known = new Map<string, AgentSummary>();
    let isKnown = hq.running() === null;
    hq.running()
      ?.fleet.summaries()
      .subscribe((agents) => {
        isKnown = true;
        for (const agent of agents) known.set(agent.id, agent);
      });
    while (!isKnown && isFine(world)) runUntil(world, timeline.now() + 1);
    return viewers.flatMap((viewer) => differences(viewer.shown() ?? NOTHING_SHOWN, known));
  };
  const seenBy = timeline.now() + SEEN_WITHIN_MS;
  while (isFine(world) && timeline.now() < seenBy && shownWrong().length > 0)
    runUntil(world, timeline.now() + LOOK_MS);
  if (isFine(world)) for (const what of shownWrong()) violations.report('dashboard', `a dashboard ${what}`);
}

/** What HQ keeps of an agent is soon within its bounds. */
function checkBounds(world: World): void {
  const { timeline, violations, hq } = world;
  if (hq.running() === null) return;
  const over = () => overBounds(hq.disk.records().keys(), hq.config.limits);
  const keptBy = timeline.now() + SEEN_WITHIN_MS;
  while (isFine(world) && timeline.now() < keptBy && over().length > 0)
    runUntil(world, timeline.now() + LOOK_MS);
  if (isFine(world)) for (const what of over()) violations.report('disk_bound', what);
}

function isFine({ violations }: World): boolean {
  return violations.list().length === 0;
}

function attempt({ crashed }: World, work: () => void): void {
  try {
    work();
  } catch (error) {
    crashed(error);
  }
}

function runUntil(world: World, at: number): void {
  attempt(world, () => world.timeline.runUntil(at));
}

function placeOf({ agents }: World, wire: string): number {
  return agents.findIndex(({ wire: { name } }) => name === wire);
}

function isSlow(agent: SimAgent | undefined): boolean {
  return agent !== undefined && Number.isFinite(agent.settings.line.upRate);
}

/** Why an agent has not drained yet, or still thinks ill of its disk; null when neither. */
function whatIsLeft(agent: SimAgent): string | null {
  const running = agent.running();
  if (running === null) return `${agent.id} does not run`;
  const { pending, pendingFrames, sampled, disk } = running.journal.stats();
  const { uncommitted, failure } = running.pipeline.status().commit;
  const { phase, reason, breaker, paused } = running.uplink.status();
  if (pendingFrames === 0 && uncommitted === 0 && disk === 'good') return null;
  const why = [phase, `breaker ${breaker}`, `disk ${disk}`, reason, paused, failure]
    .filter((one) => one !== null)
    .join(', ');
  return `${agent.id}: ${pending} of ${sampled} in ${pendingFrames} frames pending, ${uncommitted} uncommitted: ${why}`;
}
