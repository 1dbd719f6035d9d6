/**
 * A reader of the log that makes rollups of what it holds, behind the acks. It reads each entry from the log, whether
 * it is in the index by then or not, so that neither waits for the other.
 *
 * Invariants:
 * - what an agent's rollups hold and how far they go change in one transaction: each sample counts in them once;
 * - an entry stays in the log until it is in the rollups. When more than `maxLag` wait, those that are in the index are
 *   noted as missed and may leave the log; they are read from the index later, and until then queries read raw samples;
 * - an agent without rollups (of 0.1, or removed to be made again) has missed all that it has in the index.
 */
import { auditTime, defer, map, type Observable, of, switchMap, tap } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import type { SeqRange } from '../../protocol/coverage.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { Storage } from '../../storage/storage.ts';
import { background } from './background.ts';
import type { Backpressure } from './backpressure.ts';
import { readLogEntry, seqsOf, type TailEntry } from './log-entry.ts';
import { isRunning } from './purge-record.ts';
import type { QueryContext } from './query-context.ts';
import {
  type IsKept,
  type PartChanges,
  placeParts,
  type RollupInput,
  rollRecords,
  writeParts,
} from './rollup-plan.ts';
import { isComplete, joined, type RollupState, type SeqsByEpoch, without, withSeqs } from './rollup-state.ts';
import { findMissed } from './rollup-walk.ts';
import { sliced } from './sliced.ts';
import type { StoreEmit } from './store-events.ts';
import type { Transaction, Transactions } from './transactions.ts';

/** An entry waits for one to two of these at most, ms. */
const ROLL_AFTER_MS = 30_000;
/** Entries and samples of one agent that are worth rolling up at once. */
const MANY_ENTRIES = 64;
const MANY_SAMPLES = 1024;
/** Entries of all agents that are waited for; beyond it those of the fullest are rolled up. */
const MAX_WAITING = 262_144;
/** Of one agent at once, about. */
const STEP_ENTRIES = 256;
const STEP_BYTES = 1024 * 1024;
/** Of one transaction, as commits of frames wait for it. */
const PASS_AGENTS = 32;
const PASS_BYTES = 2 * 1024 * 1024;
const REST_MS = 40;
const WAKE_MS = 1_000;
const IDLE_MS = 5_000;

export const DEFAULT_MAX_LAG = 1_000_000;

export type RollupKeeper = {
  /** Every entry of the log up to here is in the rollups, or missed. */
  readonly rolledTo: () => number;
  /**
   * Does a part of what is due; emits whether there may be more. Entries up to the number `waitedTo` are due at once.
   */
  readonly roll: (limits: { readonly waitedTo: number }) => Observable<boolean>;
  /** Entries that are not in the rollups, and agents whose rollups are not complete. */
  readonly waiting: () => { readonly entries: number; readonly incomplete: number };
  /** Does the work while subscribed; never emits. */
  readonly work$: Observable<never>;
};

export type RollupKeeperOptions = {
  readonly storage: Storage;
  readonly transactions: Transactions;
  readonly context: Pick<QueryContext, 'onBadFrame'>;
  readonly clock: Clock;
  readonly backpressure: Backpressure;
  /** Emits when something was appended. */
  readonly appended$: Observable<unknown>;
  readonly isKept: IsKept;
  /** Entries that may wait, all agents together. */
  readonly maxLag: number;
  readonly emit: StoreEmit;
  readonly onError: (error: unknown) => void;
};

type Plan = {
  readonly agent: string;
  /** What it was made from, and what it leads to. */
  readonly before: RollupState | undefined;
  readonly after: RollupState;
  readonly changes: PartChanges;
};

export function createRollupKeeper(options: RollupKeeperOptions): RollupKeeper {
  const { transactions, clock, backpressure } = options;
  const age = createAge(clock, transactions.lastNumber);
  const { durable } = transactions;
  /** Agents of which something is missed, or may be. */
  const incomplete = new Set(
    [...durable.epochs.keys()].filter((agent) => !isComplete(durable.rollups.get(agent))),
  );
  const commit = (plans: readonly Plan[]): Observable<boolean> =>
    plans.length === 0
      ? of(false)
      : transactions
          .run((transaction) => {
            for (const plan of plans) commitPlan(transaction, plan);
          })
          .pipe(
            tap(() => {
              for (const { agent } of plans) {
                if (isComplete(durable.rollups.get(agent))) incomplete.delete(agent);
                else incomplete.add(agent);
              }
              options.emit({ type: 'store_rollups_committed', agents: plans.length });
            }),
            map(() => true),
          );
  const entries = () => entriesIn(durable.unrolled);

  const tellMissed = (missed: readonly Missed[]) => {
    for (const { plan, frames } of missed)
      options.emit({ type: 'store_rollups_missed', agent: plan.agent, frames });
  };

  const roll: RollupKeeper['roll'] = ({ waitedTo }) =>
    defer(() => {
      const lagging = entries() > options.maxLag ? missPlans(options) : [];
      if (lagging.length > 0)
        return commit(lagging.map(({ plan }) => plan)).pipe(tap(() => tellMissed(lagging)));
      const due = dueAgents(durable.unrolled, waitedTo);
      for (const agent of incomplete) if (!durable.epochs.has(agent)) incomplete.delete(agent);
      const [first] = incomplete;
      const work = function* (): Generator<void, readonly Plan[]> {
        if (due.length > 0) return yield* planAgents(options, due);
        return first === undefined ? [] : [yield* planMissed(options, first)];
      };
      return sliced(work, clock, backpressure.pauseMs).pipe(switchMap(commit));
    });

  return {
    rolledTo: () => rolledTo(transactions),
    roll,
    waiting: () => ({ entries: entries(), incomplete: incomplete.size }),
    work$: background({
      pass: () => defer(() => roll({ waitedTo: age.oldTo() })),
      wake$: options.appended$.pipe(auditTime(WAKE_MS, clock.scheduler)),
      restMs: REST_MS,
      yields: backpressure.high,
      idleMs: IDLE_MS,
      scheduler: clock.scheduler,
      onError: options.onError,
    }),
  };
}

type Entries = ReadonlyMap<string, readonly TailEntry[]>;

function entriesIn(all: Entries): number {
  let entries = 0;
  for (const some of all.values()) entries += some.length;
  return entries;
}

function rolledTo({ durable, lastNumber }: Transactions): number {
  let to = lastNumber();
  for (const [first] of durable.unrolled.values())
    if (first !== undefined) to = Math.min(to, first.number - 1);
  return to;
}

/** Tells which entries have waited long enough. */
function createAge(clock: Pick<Clock, 'precise'>, lastNumber: () => number) {
  let old = 0;
  let mark = { at: clock.precise(), number: lastNumber() };
  return {
    oldTo: (): number => {
      if (clock.precise() - mark.at >= ROLL_AFTER_MS) {
        old = mark.number;
        mark = { at: clock.precise(), number: lastNumber() };
      }
      return old;
    },
  };
}

/** Agents of which enough waits, or for long enough. */
function dueAgents(unrolled: Entries, before: number): readonly string[] {
  const held = entriesIn(unrolled);
  const enough = held > MAX_WAITING ? Math.min(held / unrolled.size, MANY_ENTRIES) : MANY_ENTRIES;
  const due: string[] = [];
  for (const [agent, entries] of unrolled) {
    const [first] = entries;
    const isDue =
      (first?.number ?? Number.POSITIVE_INFINITY) <= before ||
      entries.length >= enough ||
      entries.reduce((sum, { samples }) => sum + samples, 0) >= MANY_SAMPLES;
    if (isDue) due.push(agent);
    if (due.length === PASS_AGENTS) break;
  }
  return due;
}

function* planAgents(
  options: RollupKeeperOptions,
  agents: readonly string[],
): Generator<void, readonly Plan[]> {
  const plans: Plan[] = [];
  let bytes = 0;
  for (const agent of agents) {
    const plan = yield* planAgent(options, agent);
    if (plan === null) continue;
    plans.push(plan);
    for (const { value } of plan.changes.puts) bytes += value.length;
    if (bytes >= PASS_BYTES) break;
  }
  return plans;
}

/** What the oldest of its entries change; null when it has none any more. */
function* planAgent(options: RollupKeeperOptions, agent: string): Generator<void, Plan | null> {
  const { durable } = options.transactions;
  const taken = takeFrom(durable.unrolled.get(agent) ?? []);
  const last = taken.at(-1);
  if (last === undefined) return null;
  const before = durable.rollups.get(agent);
  const { missed } = before ?? firstState(options.transactions, agent);
  const inputs: RollupInput[] = [];
  for (const { number } of taken) {
    const record = options.storage.read((reader) => readLogEntry(reader, number))?.record;
    // One that is damaged, or was removed for its age, is in no answer of raw samples either.
    if (record !== undefined) inputs.push({ record, owns: null });
    yield;
  }
  const epochOf = new Map(taken.map(({ number, epoch }) => [number, epoch]));
  const changes = yield* changesOf(options, agent, inputs, ({ logNumber }) => epochOf.get(logNumber) ?? '');
  return { agent, before, after: { to: last.number, missed }, changes };
}

function takeFrom(entries: readonly TailEntry[]): readonly TailEntry[] {
  const taken: TailEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (taken.length === STEP_ENTRIES || bytes >= STEP_BYTES) break;
    taken.push(entry);
    bytes += entry.bytes;
  }
  return taken;
}

function* changesOf(
  { storage, context, isKept }: RollupKeeperOptions,
  agent: string,
  inputs: readonly RollupInput[],
  epochOf: (record: RollupInput['record']) => Epoch,
): Generator<void, PartChanges> {
  const parts = yield* rollRecords(inputs, isKept, ({ record }, error) =>
    context.onBadFrame(agent, epochOf(record), record.segments[0]?.first ?? 0, error),
  );
  return yield* placeParts(storage, agent, parts);
}

/** What its rollups have missed, of which there are none yet: all but what the log has for them. */
function firstState({ durable }: Transactions, agent: string): RollupState {
  let missed: SeqsByEpoch = {};
  const waiting = durable.unrolled.get(agent) ?? [];
  for (const [epoch, { coverage }] of durable.epochs.get(agent) ?? []) {
    let ranges: readonly SeqRange[] = [[1, coverage.contiguous], ...coverage.ranges];
    ranges = ranges.filter(([from, to]) => from <= to);
    for (const entry of waiting) {
      if (entry.epoch === epoch) for (const [from, to] of seqsOf(entry)) ranges = without(ranges, from, to);
    }
    missed = withSeqs(missed, epoch, ranges);
  }
  return { to: 0, missed };
}

/** What the next of those that its rollups have missed change. */
function* planMissed(options: RollupKeeperOptions, agent: string): Generator<void, Plan> {
  const { durable } = options.transactions;
  const before = durable.rollups.get(agent);
  const { to, missed } = before ?? firstState(options.transactions, agent);
  const [first] = Object.entries(missed);
  if (first === undefined)
    return { agent, before, after: { to, missed }, changes: { puts: [], removes: [] } };
  const [epoch, ranges] = first;
  const { inputs, left } = yield* findMissed(options.storage, { agent, epoch }, ranges);
  const changes = yield* changesOf(options, agent, inputs, () => epoch);
  return { agent, before, after: { to, missed: withSeqs(missed, epoch, left) }, changes };
}

type Missed = { readonly plan: Plan; readonly frames: number };

/** Those that wait longest and are in the index are read from there later. */
function missPlans({ transactions, maxLag }: RollupKeeperOptions): readonly Missed[] {
  const { durable } = transactions;
  let excess = entriesIn(durable.unrolled) - maxLag;
  const plans: Missed[] = [];
  const fullest = [...durable.unrolled].sort(([, one], [, other]) => other.length - one.length);
  for (const [agent, entries] of fullest.slice(0, PASS_AGENTS)) {
    if (excess <= 0) break;
    const unfiled = durable.tails.get(agent)?.[0]?.number ?? Number.POSITIVE_INFINITY;
    const left = entries.slice(0, excess).filter(({ number }) => number < unfiled);
    const last = left.at(-1);
    if (last === undefined) continue;
    const before = durable.rollups.get(agent);
    let { missed } = before ?? firstState(transactions, agent);
    for (const [epoch, some] of Map.groupBy(left, (entry) => entry.epoch))
      missed = withSeqs(missed, epoch, joined([...(missed[epoch] ?? []), ...some.flatMap(seqsOf)]));
    const plan = { agent, before, after: { to: last.number, missed }, changes: { puts: [], removes: [] } };
    plans.push({ plan, frames: left.length });
    excess -= left.length;
  }
  return plans;
}

/** Nothing where the rollups are not those from which it was planned any more, or the agent is being removed. */
function commitPlan(transaction: Transaction, { agent, before, after, changes }: Plan): void {
  if (isRunning(transaction.purge(agent)) || !isSame(transaction.rollups(agent), before)) return;
  writeParts(transaction.writer, changes);
  transaction.setRollups(agent, after);
}

const isSame = (one: RollupState | undefined, other: RollupState | undefined): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other);
