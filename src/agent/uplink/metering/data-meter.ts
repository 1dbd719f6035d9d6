/**
 * Counts what the link carries, durably, and says what may go. `data-budget.ts` decides; this keeps its state, time and
 * file.
 *
 * With a budget the file is ahead of what was spent, so that a kill counts a chunk too much rather than too little
 * (count-writer.ts). A chunk is 1/256 of a day's budget, and up to 1/64 while it lasts for less than ten seconds.
 * Without one a kill forgets half a chunk: 16 KiB, or what ten seconds carry.
 */
import { interval, type Observable, Subject } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import { type ChunkBounds, createCountWriter } from './count-writer.ts';
import {
  advance,
  allowsLane,
  type BudgetPhase,
  type DataBudget,
  type DataBudgetSettings,
  elapsedMs,
  HELLO_BYTES,
  type Instant,
  isExhausted,
  isWorthConnecting,
  leftForAnomalies,
  leftForBacklog,
  leftIn,
  limitOf,
  newBudget,
  observeLive,
  type PauseReason,
  pauseEnd,
  phaseOf,
  type SpanName,
  spend,
} from './data-budget.ts';
import type { BudgetStatus, SpanStatus, UplinkGate } from './gate.ts';
import type { TrafficFile, TrafficRecord } from './traffic-file.ts';

export type DataMeterOptions = {
  readonly settings: DataBudgetSettings;
  readonly clock: Clock;
  /** Time since the machine started, sleep included, ms. */
  readonly uptime: () => number;
  readonly file: TrafficFile;
  /** What the file held at the start; null: nothing that could be read. */
  readonly record: TrafficRecord | null;
  readonly onPhase: (phase: BudgetPhase, status: BudgetStatus) => void;
  /** Once per episode in which the file cannot be written. */
  readonly onWriteFailure: (reason: string) => void;
};

export type DataMeter = {
  readonly gate: UplinkGate;
  /** Takes note of bytes; `live`: what of them was not backlog. `ms`: time connected that they took. */
  readonly count: (traffic: { readonly bytes: number; readonly live: number; readonly ms: number }) => void;
  /** Something with an anomaly has come to be sent. */
  readonly anomaly: () => void;
  /** Why there may be no connection now; null when there may. */
  readonly refusal: () => string | null;
  /** Time until there may be one that is not for an anomaly, ms. */
  readonly againMs: () => number;
  /** A connection is made. */
  readonly connected: () => void;
  /** None was made, which took so many bytes. */
  readonly failed: (bytes: number) => void;
  /** HQ knows why nothing goes, or was to be told and could not be. */
  readonly explained: () => void;
  /** Why the connection is to end: `now`, or once HQ knows. Null while it may stay. */
  readonly leaving: () => { readonly now: boolean; readonly why: string } | null;
  /** Bytes that frames may still take; infinite while the budget lasts. */
  readonly roomForFrames: () => number;
  /** Writes the exact count. Completes; never errors. */
  readonly close: () => Observable<never>;
};

const TICK_MS = 1_000;
const NOTHING = { bytes: 0, ms: 0 };
const HOUR_MS = 3_600_000;
/** Between two connections for anomalies out of the reserve. */
const ANOMALY_PAUSE_MS = 60_000;
const LEAST_CHUNK = 1_024;
const CHUNK_UNLIMITED = 32 * 1_024;
const MOST_CHUNK_UNLIMITED = 2 ** 33;
const CHUNK_SHARE = 1 / 256;
const MOST_CHUNK_SHARE = 1 / 64;
const DAYS_A_MONTH = 30;

export function createDataMeter(options: DataMeterOptions): DataMeter {
  const { settings, clock, uptime, record } = options;
  const changes$ = new Subject<void>();
  const now = (): Instant => ({ wall: clock.now(), uptime: uptime(), boot: clock.bootId });
  let budget = advance(begunWith(record, now(), settings), now(), settings);
  let helloAt = record?.helloAt ?? null;
  let anomalyWaits = false;
  /** Of tries since the last hello, while nothing else may go. */
  let failedBytes = 0;
  /** What the live rate does not know of yet. */
  let unseen = NOTHING;
  let phase = phaseOf(budget, settings);
  const writer = createCountWriter({
    bounds: chunkBounds(settings),
    clock,
    onFailure: options.onWriteFailure,
    write: (extra) => {
      const { at, day, month, liveRate, seenMs } = spend(budget, extra);
      return options.file.write({ at, day, month, liveRate, seenMs, helloAt });
    },
  });

  const look = () => {
    const before = budget;
    budget = advance(budget, now(), settings);
    if (before.day.key !== budget.day.key || before.month.key !== budget.month.key) writer.changed();
    const next = phaseOf(budget, settings);
    const changed = hasChanged(phase, next);
    phase = next;
    if (!changed) return;
    if (!isShut(phase)) helloAt = null;
    writer.changed();
    options.onPhase(phase, status());
    changes$.next();
  };
  const status = () => statusOf(budget, phase, settings);
  const sentence = () => sentenceOf(status(), isExhausted(budget, settings));
  const noteHello = () => {
    failedBytes = 0;
    if (!isShut(phase)) return;
    helloAt = now();
    writer.changed();
  };
  const sinceHelloMs = () => (helloAt === null ? null : elapsedMs(helloAt, now()));
  const ticking = interval(TICK_MS, clock.scheduler).subscribe(look);
  writer.changed();

  return {
    gate: {
      allows: (lane) => allowsLane(phase, lane),
      room: () => (isShut(phase) ? leftForAnomalies(budget, settings) : leftForBacklog(budget, settings)),
      changes$: changes$.asObservable(),
      status,
    },
    count: ({ bytes, live, ms }) => {
      budget = spend(budget, bytes);
      // A single moment has no rate.
      unseen = { bytes: unseen.bytes + live, ms: unseen.ms + ms };
      if (unseen.ms >= TICK_MS) {
        if (!isShut(phase)) budget = observeLive(budget, unseen);
        unseen = NOTHING;
      }
      writer.spent(bytes);
      look();
    },
    anomaly: () => {
      anomalyWaits = true;
    },
    refusal: () => {
      look();
      if (!isShut(phase)) return null;
      return mayConnect(budget, phase, settings, { sinceMs: sinceHelloMs(), anomalyWaits })
        ? null
        : sentence();
    },
    againMs: () => waitMs(budget, phase, settings, sinceHelloMs()),
    failed: (bytes) => {
      failedBytes += bytes;
      // What an hour has for its hello is gone.
      if (failedBytes >= HELLO_BYTES) noteHello();
    },
    connected: () => {
      anomalyWaits = false;
      noteHello();
    },
    explained: noteHello,
    leaving: () => (isShut(phase) ? { now: isExhausted(budget, settings), why: sentence() } : null),
    roomForFrames: () => (isShut(phase) ? leftForAnomalies(budget, settings) : Number.POSITIVE_INFINITY),
    close: () => {
      ticking.unsubscribe();
      changes$.complete();
      return writer.close();
    },
  };
}

function begunWith(
  record: DataMeterOptions['record'],
  now: Instant,
  settings: DataBudgetSettings,
): DataBudget {
  return record === null ? newBudget(now, settings) : { ...record, held: { day: true, month: true } };
}

function statusOf(budget: DataBudget, phase: BudgetPhase, settings: DataBudgetSettings): BudgetStatus {
  const why = whyOf(phase);
  return {
    phase: phase.kind,
    why,
    until: why === null ? null : pauseEnd(budget, why, settings),
    day: spanStatus(budget, 'day', settings),
    month: spanStatus(budget, 'month', settings),
    liveRate: budget.liveRate,
  };
}

function hasChanged(before: BudgetPhase, now: BudgetPhase): boolean {
  return now.kind !== before.kind || whyOf(now) !== whyOf(before) || goesLate(now) !== goesLate(before);
}

/** How long until a connection may be made again; `sinceHelloMs` null: HQ is due to hear. */
function waitMs(
  budget: DataBudget,
  phase: BudgetPhase,
  settings: DataBudgetSettings,
  sinceHelloMs: number | null,
): number {
  const why = whyOf(phase);
  if (why === null || !isShut(phase)) return 0;
  const endMs = Math.max(0, pauseEnd(budget, why, settings) - budget.at.wall);
  if (isExhausted(budget, settings)) return endMs;
  return sinceHelloMs === null ? 0 : Math.min(endMs, Math.max(0, HOUR_MS - sinceHelloMs));
}

/** While nothing goes: for the hello of the hour, or for an anomaly that has waited for it. */
function mayConnect(
  budget: DataBudget,
  phase: BudgetPhase,
  settings: DataBudgetSettings,
  { sinceMs, anomalyWaits }: { readonly sinceMs: number | null; readonly anomalyWaits: boolean },
): boolean {
  const due = sinceMs === null || sinceMs >= HOUR_MS;
  const waited = anomalyWaits && sinceMs !== null && sinceMs >= ANOMALY_PAUSE_MS;
  const urgent = waited && phase.kind === 'reserve' && isWorthConnecting(budget, settings);
  return !isExhausted(budget, settings) && (due || urgent);
}

function isShut({ kind }: BudgetPhase): boolean {
  return kind === 'reserve' || kind === 'spent';
}

function goesLate(phase: BudgetPhase): boolean {
  return allowsLane(phase, 'late');
}

function whyOf(phase: BudgetPhase): PauseReason | null {
  return phase.kind === 'open' ? null : phase.why;
}

function spanStatus(budget: DataBudget, span: SpanName, settings: DataBudgetSettings): SpanStatus {
  const limit = limitOf(span, settings);
  return {
    used: budget[span].used,
    limit: limit === 0 ? null : limit,
    left: leftIn(budget, span, settings),
  };
}

function sentenceOf({ why, until, day, month }: BudgetStatus, exhausted: boolean): string {
  const [span, name] = why === 'budget_month' ? [month, 'month'] : [day, 'day'];
  const end = until === null ? '' : ` until ${new Date(until).toISOString().replace('.000Z', 'Z')}`;
  const hellos = exhausted
    ? 'HQ hears nothing from this agent until then'
    : 'HQ hears from this agent once an hour';
  return `The data budget of the ${name} is used up${end}: ${span.used} of ${span.limit} bytes. Samples stay in the journal; ${hellos}.`;
}

function chunkBounds({ maxBytesPerDay, maxBytesPerMonth }: DataBudgetSettings): ChunkBounds {
  const daily = [maxBytesPerDay, maxBytesPerMonth / DAYS_A_MONTH].filter((limit) => limit > 0);
  if (daily.length === 0) return { least: CHUNK_UNLIMITED, most: MOST_CHUNK_UNLIMITED, ahead: false };
  const budget = Math.min(...daily);
  return {
    least: Math.max(LEAST_CHUNK, Math.floor(budget * CHUNK_SHARE)),
    most: Math.max(LEAST_CHUNK, Math.floor(budget * MOST_CHUNK_SHARE)),
    ahead: true,
  };
}
