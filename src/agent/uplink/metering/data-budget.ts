/**
 * How many bytes a metered link may still carry, and for what. Pure: time and bytes come in, a verdict comes out.
 *
 * Invariants:
 * - a day's or month's budget is given once. Only a clock that runs on, or a machine that was off meanwhile, begins a
 *   new span; a clock that jumps takes what was used along to the date where it lands;
 * - live samples go before backlog, and before the anomalies in it: both go while what is left beyond the reserve
 *   exceeds what live samples will need until the span ends, at their present rate. Once live samples have had their
 *   share, anomalies of the backlog go out of the reserve as fresh ones do;
 * - a tenth of the budget is for anomalies and for a hello each hour. Of that tenth anomalies leave enough for the
 *   hellos: they end while there is room for one more message, so that what is under way then does not take of it.
 */
import type { Calendar } from './calendar.ts';
import { isOpen, minutesUntilOpen, type Window } from './windows.ts';

export type DataBudgetSettings = {
  /** 0: no limit. */
  readonly maxBytesPerDay: number;
  readonly maxBytesPerMonth: number;
  /** Hours at which backlog may go; none: at all hours. */
  readonly windows: readonly Window[];
  readonly calendar: Calendar;
};

/** A moment by both clocks. */
export type Instant = {
  /** Wall time, ms. */
  readonly wall: number;
  /** Since the boot `boot`, sleep included, ms. */
  readonly uptime: number;
  readonly boot: string;
};

/** Bytes of one day or month. */
export type Tally = {
  readonly key: string;
  readonly used: number;
  /** Used in spans that ended while the machine was off, as only the wall clock says. */
  readonly unsure: number;
};

export type DataBudget = {
  readonly at: Instant;
  readonly day: Tally;
  readonly month: Tally;
  /** Of everything but backlog, bytes a second. */
  readonly liveRate: number;
  /** Time connected that the rate was taken over, ms. */
  readonly seenMs: number;
  /** Whether backlog waits so that live samples can go on until the span ends. */
  readonly held: Readonly<Record<SpanName, boolean>>;
};

export type SpanName = 'day' | 'month';
/** `live_first`: what is left of a budget is for live samples. */
export type PauseReason = 'budget_day' | 'budget_month' | 'live_first' | 'window';
/** `notable`: fresh frames with anomalies or diagnostics; `late`: those that wait in the backlog. */
export type SendLane = 'live' | 'notable' | 'late' | 'backlog';

/** What may go. */
export type BudgetPhase =
  | { readonly kind: 'open' }
  /** Live samples and fresh anomalies; unless `live_first` is why, late ones too. */
  | { readonly kind: 'live_only'; readonly why: PauseReason }
  /**
   * Anomalies, and a hello each hour. `late`: whether late ones go; they do not while another span has to last for live
   * samples.
   */
  | { readonly kind: 'reserve'; readonly why: PauseReason; readonly late: boolean }
  /** A hello each hour. */
  | { readonly kind: 'spent'; readonly why: PauseReason };

const SPANS: readonly SpanName[] = ['day', 'month'];
const WHY: Readonly<Record<SpanName, PauseReason>> = { day: 'budget_day', month: 'budget_month' };
const HOUR_MS = 3_600_000;
const RESERVE_SHARE = 0.1;
/** What a connection with hello and one heartbeat costs both ways, TLS included, about. */
export const HELLO_BYTES = 3_072;
/**
 * What anomalies leave beyond the share of the hellos: a frame of them with its answer, and the heartbeat that says why
 * nothing goes.
 */
const UNDER_WAY_BYTES = 1_536;
/** Clocks are set right by less than this without anyone minding; more is a jump. */
const JUMP_MS = HOUR_MS;
/** No machine is switched off for longer: one of the two dates is wrong, as where a clock begins in 1970. */
const MAX_OFF_MS = 400 * 24 * HOUR_MS;
/** The live rate is the mean over about this time. */
const RATE_TAU_MS = 600_000;
/** Before, the live rate is not known, and backlog waits. */
const RATE_KNOWN_MS = 30_000;
/**
 * Backlog that was held goes on once this share of the budget is to spare, and two frames of the least size at any
 * rate.
 */
const RESUME_SHARE = 0.01;
const RESUME_BYTES = 4_096;

export function newBudget(at: Instant, { calendar }: DataBudgetSettings): DataBudget {
  return {
    at,
    day: { key: calendar.day(at.wall).key, used: 0, unsure: 0 },
    month: { key: calendar.month(at.wall).key, used: 0, unsure: 0 },
    liveRate: 0,
    seenMs: 0,
    held: { day: true, month: true },
  };
}

/** The budget at a later moment: spans that are over begin again. */
export function advance(budget: DataBudget, at: Instant, settings: DataBudgetSettings): DataBudget {
  const course = courseOf(budget.at, at);
  const { calendar } = settings;
  const next = {
    ...budget,
    at,
    day: nextTally(budget.day, calendar.day(at.wall).key, course),
    month: nextTally(budget.month, calendar.month(at.wall).key, course),
  };
  return { ...next, held: { day: isHeld(next, 'day', settings), month: isHeld(next, 'month', settings) } };
}

/** Takes note of bytes that have gone or come. */
export function spend(budget: DataBudget, bytes: number): DataBudget {
  const { day, month } = budget;
  return {
    ...budget,
    day: { ...day, used: day.used + bytes },
    month: { ...month, used: month.used + bytes },
  };
}

/** Takes note of what everything but backlog has cost while there was a connection for `ms`. */
export function observeLive(budget: DataBudget, { bytes, ms }: { bytes: number; ms: number }): DataBudget {
  if (ms <= 0) return budget;
  const weight = Math.max(1 - Math.exp(-ms / RATE_TAU_MS), ms / (budget.seenMs + ms));
  const rate = (bytes * 1000) / ms;
  return {
    ...budget,
    liveRate: budget.liveRate + (rate - budget.liveRate) * weight,
    seenMs: Math.min(budget.seenMs + ms, RATE_TAU_MS),
  };
}

export function phaseOf(budget: DataBudget, settings: DataBudgetSettings): BudgetPhase {
  const { windows, calendar } = settings;
  const limited = SPANS.filter((span) => limitOf(span, settings) > 0);
  const spent = limited.find((span) => leftOver(budget, span, settings) <= UNDER_WAY_BYTES);
  if (spent !== undefined) return { kind: 'spent', why: WHY[spent] };
  const isLow = (span: SpanName) => leftOf(budget, span, settings) <= reserveOf(span, settings);
  const low = limited.find(isLow);
  const late = limited.every((span) => isLow(span) || !budget.held[span]);
  if (low !== undefined) return { kind: 'reserve', why: WHY[low], late };
  if (limited.some((span) => budget.held[span])) return { kind: 'live_only', why: 'live_first' };
  if (windows.length > 0 && !isOpen(windows, calendar.weekTime(budget.at.wall)))
    return { kind: 'live_only', why: 'window' };
  return { kind: 'open' };
}

export function allowsLane(phase: BudgetPhase, lane: SendLane): boolean {
  switch (phase.kind) {
    case 'open':
      return true;
    case 'live_only':
      return lane !== 'backlog' && (lane !== 'late' || phase.why !== 'live_first');
    case 'reserve':
      return lane === 'notable' || (lane === 'late' && phase.late);
    case 'spent':
      return false;
  }
}

/** Whether there is not a byte left, for whatever purpose. */
export function isExhausted(budget: DataBudget, settings: DataBudgetSettings): boolean {
  return SPANS.some((span) => limitOf(span, settings) > 0 && leftOf(budget, span, settings) <= 0);
}

/** Bytes that may go for anomalies before what is left is for hellos; infinite without a limit. */
export function leftForAnomalies(budget: DataBudget, settings: DataBudgetSettings): number {
  const limited = SPANS.filter((span) => limitOf(span, settings) > 0);
  return Math.min(...limited.map((span) => leftOver(budget, span, settings)));
}

/** Bytes that may go for backlog before the budget is looked at again; infinite without a limit. */
export function leftForBacklog(budget: DataBudget, settings: DataBudgetSettings): number {
  const limited = SPANS.filter((span) => limitOf(span, settings) > 0);
  return Math.max(0, Math.min(...limited.map((span) => spareOf(budget, span, settings))));
}

/** Whether a connection for anomalies leaves room for one of them. */
export function isWorthConnecting(budget: DataBudget, settings: DataBudgetSettings): boolean {
  return leftForAnomalies(budget, settings) >= HELLO_BYTES + UNDER_WAY_BYTES;
}

/** When what `why` names ends, wall time, ms. */
export function pauseEnd(budget: DataBudget, why: PauseReason, settings: DataBudgetSettings): number {
  const { calendar, windows } = settings;
  const { wall } = budget.at;
  switch (why) {
    case 'budget_day':
      return calendar.day(wall).end;
    case 'budget_month':
      return calendar.month(wall).end;
    case 'live_first':
      return calendar[budget.held.day ? 'day' : 'month'](wall).end;
    case 'window':
      return wall - (wall % 60_000) + minutesUntilOpen(windows, calendar.weekTime(wall)) * 60_000;
  }
}

/** Bytes left of a span, the reserve included, never below 0; null without a limit. */
export function leftIn(budget: DataBudget, span: SpanName, settings: DataBudgetSettings): number | null {
  return limitOf(span, settings) === 0 ? null : Math.max(0, leftOf(budget, span, settings));
}

/**
 * Time that has passed between two moments as far as anyone can tell, ms; null where the clocks contradict each other.
 */
export function elapsedMs(before: Instant, at: Instant): number | null {
  if (isSameBoot(before, at)) return at.uptime - before.uptime;
  return at.wall < before.wall ? null : at.wall - before.wall;
}

export function limitOf(span: SpanName, settings: DataBudgetSettings): number {
  return span === 'day' ? settings.maxBytesPerDay : settings.maxBytesPerMonth;
}

type Course = 'runs' | 'jumped' | 'restarted';

function courseOf(before: Instant, at: Instant): Course {
  if (isSameBoot(before, at)) {
    const expected = before.wall + at.uptime - before.uptime;
    return Math.abs(at.wall - expected) <= JUMP_MS ? 'runs' : 'jumped';
  }
  // How long a machine was off only its wall clock can say, within reason.
  const offMs = at.wall - before.wall;
  return offMs < -JUMP_MS || offMs > MAX_OFF_MS ? 'jumped' : 'restarted';
}

/** The uptime of a container may begin again within one boot of the machine. */
function isSameBoot(before: Instant, at: Instant): boolean {
  return before.boot === at.boot && at.uptime >= before.uptime;
}

function nextTally(tally: Tally, key: string, course: Course): Tally {
  const { used, unsure } = tally;
  if (key === tally.key) return tally;
  // The clock was wrong before or is now: no span is known to be over.
  if (course === 'jumped') return { key, used: used + unsure, unsure: 0 };
  // Set back a little over midnight: the new span has begun already.
  if (key < tally.key) return tally;
  return { key, used: 0, unsure: course === 'runs' ? 0 : unsure + used };
}

function isHeld(budget: DataBudget, span: SpanName, settings: DataBudgetSettings): boolean {
  const limit = limitOf(span, settings);
  if (limit === 0) return false;
  if (budget.seenMs < RATE_KNOWN_MS) return true;
  return (
    spareOf(budget, span, settings) <= (budget.held[span] ? Math.max(RESUME_BYTES, limit * RESUME_SHARE) : 0)
  );
}

/** What is left beyond the reserve and what live samples will need. */
function spareOf(budget: DataBudget, span: SpanName, settings: DataBudgetSettings): number {
  const needed = (budget.liveRate * remainingMs(budget, span, settings)) / 1000;
  return leftOf(budget, span, settings) - reserveOf(span, settings) - needed;
}

function leftOf(budget: DataBudget, span: SpanName, settings: DataBudgetSettings): number {
  return limitOf(span, settings) - budget[span].used;
}

function reserveOf(span: SpanName, settings: DataBudgetSettings): number {
  return limitOf(span, settings) * RESERVE_SHARE;
}

/** What is left beyond the share of the hellos. */
function leftOver(budget: DataBudget, span: SpanName, settings: DataBudgetSettings): number {
  return leftOf(budget, span, settings) - helloShare(budget, span, settings);
}

/** What anomalies leave of the reserve. */
function helloShare(budget: DataBudget, span: SpanName, settings: DataBudgetSettings): number {
  const hours = Math.ceil(remainingMs(budget, span, settings) / HOUR_MS);
  return Math.min(reserveOf(span, settings) / 2, hours * HELLO_BYTES);
}

function remainingMs({ at }: DataBudget, span: SpanName, { calendar }: DataBudgetSettings): number {
  return calendar[span](at.wall).end - at.wall;
}
