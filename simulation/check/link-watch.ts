/**
 * What agents and HQ do with a line: nothing goes over it twice without need, nobody ends a connection on which bytes
 * still come, and none lies idle while something waits to be sent.
 */
import {
  type Coverage,
  cover,
  EMPTY_COVERAGE,
  missingWithin,
  type SeqRange,
  subtract,
} from '../../src/protocol/coverage.ts';
import { frameReplySchema } from '../../src/protocol/events.ts';
import type { Ended, NetworkWatch } from '../kernel/network-port.ts';
import type { Timeline } from '../kernel/timeline.ts';
import type { Subject } from './check-world.ts';
import { contentsOf, readHeader } from './contents.ts';
import type { Violations } from './violations.ts';

export type LinkWatchOptions = {
  readonly timeline: Pick<Timeline, 'now'>;
  readonly violations: Violations;
  /** Whether nothing but the rate of this line has troubled its agent or HQ for a while. */
  readonly isCalm: (wire: string) => boolean;
  /** Whether damage may have taken schemas from its journal, which nobody can supply then. */
  readonly mayLackSchemas: (wire: string) => boolean;
};

export type LinkWatch = NetworkWatch & {
  /** HQ sends another credit. */
  readonly credited: (credit: { readonly wire: string; readonly frames: number }) => void;
  /** Looks for lines that lie idle; to be called about once a second after the healing. */
  readonly look: (subjects: readonly Subject[]) => void;
};

/** What one connection has carried. */
type Carried = {
  readonly connection: number;
  /** Seqs of samples that are on their way, or have arrived. */
  readonly seqs: Map<string, Coverage>;
  /** Frames and schemas without an answer yet. */
  readonly flying: Set<readonly unknown[]>;
  /** Schemas for which a frame was refused, and whose transfer has no answer yet. */
  readonly asked: Set<string>;
  credit: number;
  idleSince: number;
  leaving: boolean;
};

/** Bytes that came within this time show that a connection works: a packet takes so long on the slowest line. */
const PROGRESS_MS = 5_000;
const IDLE_MS = 15_000;

type State = LinkWatchOptions & {
  /** What the newest connection of each line has carried. */
  readonly wires: Map<string, Carried>;
  /** Of each line: schemas that HQ has ever confirmed. One that was restored may have forgotten them. */
  readonly confirmed: Map<string, Set<string>>;
};

export function createLinkWatch(options: LinkWatchOptions): LinkWatch {
  const state: State = { ...options, wires: new Map(), confirmed: new Map() };
  const { timeline, violations, isCalm, wires } = state;
  return {
    sent: ({ wire, connection, event, args }) => {
      const carried = carriedBy(state, wire, connection);
      const [, frame] = args;
      if (event === 'goodbye') carried.leaving = true;
      if (event === 'frame' || event === 'schema') carried.flying.add(args);
      if (event === 'frame' && frame instanceof Uint8Array) sentFrame(violations, wire, carried, frame);
    },
    heard: ({ wire, connection, event, args, reply }) => {
      const carried = carriedBy(state, wire, connection);
      const { ok, credit } = reply as { readonly ok?: unknown; readonly credit?: unknown };
      if (typeof credit === 'number') carried.credit = credit;
      if (carried.flying.delete(args)) carried.idleSince = timeline.now();
      const [first, frame] = args;
      // Whatever HQ says: one that could not be stored is asked for again.
      if (event === 'schema')
        for (const ref of [(first as { readonly ref: string }).ref]) carried.asked.delete(ref);
      if (event !== 'frame' || !(frame instanceof Uint8Array)) return;
      if (ok !== true) refusedFrame(state, wire, carried, frame, reply);
      else if (samplesOf(frame) !== null) confirm(state, wire, refsIn(frame));
    },
    credited: ({ wire, frames }) => {
      const carried = wires.get(wire);
      if (carried === undefined) return;
      if (carried.credit === 0) carried.idleSince = timeline.now();
      carried.credit = frames;
    },
    ended: (ended) => {
      if (wires.get(ended.wire)?.leaving === true || !isCalm(ended.wire) || !isWorking(ended)) return;
      violations.report(
        'self_inflicted_disconnect',
        `${ended.wire}: ${ended.by} ends a connection with ${ended.waitingBytes} bytes on their way, the last of which came ${Math.round(ended.quietMs)} ms ago`,
      );
    },
    look: (subjects) => {
      for (const subject of subjects) lookAt(state, subject);
    },
  };
}

function carriedBy({ wires, timeline }: State, wire: string, connection: number): Carried {
  const known = wires.get(wire);
  if (known?.connection === connection) return known;
  const fresh: Carried = {
    connection,
    seqs: new Map(),
    flying: new Set(),
    asked: new Set(),
    credit: 0,
    idleSince: timeline.now(),
    leaving: false,
  };
  wires.set(wire, fresh);
  return fresh;
}

function sentFrame(violations: Violations, wire: string, carried: Carried, frame: Uint8Array): void {
  const range = samplesOf(frame);
  if (range === null) return;
  const { epoch, first, last } = range;
  const before = carried.seqs.get(epoch) ?? EMPTY_COVERAGE;
  const missing = missingWithin(before, first, last).reduce((sum, [from, to]) => sum + to - from + 1, 0);
  if (missing < last - first + 1)
    violations.report(
      'sent_twice',
      `${wire}: seqs ${first}–${last} of ${epoch} go over a connection that has carried some of them`,
    );
  carried.seqs.set(epoch, cover(before, first, last));
}

/** A refused one may come again; of those that want a schema only one finds out. */
function refusedFrame(
  { violations, confirmed, mayLackSchemas }: State,
  wire: string,
  carried: Carried,
  frame: Uint8Array,
  reply: unknown,
): void {
  const range = samplesOf(frame);
  if (range !== null) {
    const { epoch, first, last } = range;
    const refused = { contiguous: 0, ranges: [[first, last] as [number, number]] };
    const ranges = subtract(carried.seqs.get(epoch) ?? EMPTY_COVERAGE, refused);
    carried.seqs.set(epoch, coverageOf(ranges));
  }
  const parsed = frameReplySchema.safeParse(reply).data;
  if (parsed?.ok !== false || parsed.error.code !== 'unknown_schema' || mayLackSchemas(wire)) return;
  for (const ref of parsed.error.refs ?? []) {
    if (carried.asked.has(ref) && confirmed.get(wire)?.has(ref) !== true)
      violations.report('sent_twice', `${wire}: a second frame is refused for the schema ${ref}`);
    carried.asked.add(ref);
  }
}

function confirm({ confirmed }: State, wire: string, refs: readonly string[]): void {
  const known = confirmed.get(wire) ?? new Set();
  confirmed.set(wire, known);
  for (const ref of refs) known.add(ref);
}

/** Finds a line that has lain idle for long while something waited for it. */
function lookAt({ timeline, violations, isCalm, wires }: State, { agent, truth }: Subject): void {
  const now = timeline.now();
  const carried = wires.get(truth.agent);
  if (carried === undefined) return;
  const running = agent.running();
  const status = running?.uplink.status();
  const mayGo =
    status?.phase === 'online' &&
    status.breaker === 'closed' &&
    status.paused === null &&
    carried.credit > 0 &&
    carried.flying.size === 0 &&
    // A pace of its own may hold a large frame back for long.
    agent.settings.config.uplink.maxBytesPerSecond === 0 &&
    (running?.journal.stats().pendingFrames ?? 0) > 0;
  if (!mayGo || !isCalm(truth.agent)) carried.idleSince = now;
  if (now - carried.idleSince < IDLE_MS) return;
  violations.report(
    'link_wasted',
    `${truth.agent}: ${running?.journal.stats().pendingFrames} frames wait, and nothing was sent for ${Math.round(now - carried.idleSince)} ms`,
  );
  carried.idleSince = now;
}

function isWorking({ quietMs, waitingBytes }: Ended): boolean {
  return waitingBytes > 0 && quietMs < PROGRESS_MS;
}

/** The seqs of a frame of samples; parts of any other cannot go alone. */
function samplesOf(
  frame: Uint8Array,
): { readonly epoch: string; readonly first: number; readonly last: number } | null {
  const { kind, epoch, firstSeq, count } = readHeader(frame);
  return kind === 'data' ? { epoch, first: firstSeq, last: firstSeq + count - 1 } : null;
}

/** Schemas of the samples of a frame, which other checkers have decoded already. */
function refsIn(frame: Uint8Array): readonly string[] {
  return [...new Set([...contentsOf(frame).values()].map(({ ref }) => ref))];
}

function coverageOf(ranges: readonly SeqRange[]): Coverage {
  return ranges.reduce((all, [first, last]) => cover(all, first, last), EMPTY_COVERAGE);
}
