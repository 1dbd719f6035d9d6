/** The words for what an agent says of its link. Pure. */
import type { LinkReport } from '../../../protocol/events.ts';
import { formatBytes, formatDuration, NONE } from '../../format.ts';

const PAUSES: Readonly<Record<string, string>> = {
  budget_day: 'data budget of the day used up',
  budget_month: 'data budget of the month used up',
  live_first: 'backlog waits: the rest of the data budget is for live samples',
  window: 'backlog waits for its hours',
  way: 'backlog waits: the way that is taken carries none',
  breaker_open: 'circuit breaker open',
  unavailable: 'HQ is unavailable',
  rate_limited: 'HQ asks for less',
};

/** Why frames wait; a reason of a later version is shown as it is. */
export function pauseText(paused: string): string {
  return PAUSES[paused] ?? paused.replaceAll('_', ' ');
}

/** Time until the backlog is delivered, `4 min 10 s`, and its band where there is one. */
export function catchUpText(link: LinkReport): { readonly text: string; readonly band: string | null } {
  if (link.never === true) return { text: 'never at this rate', band: null };
  const { caughtUpMs, caughtUpLowMs: low, caughtUpHighMs: high } = link;
  if (caughtUpMs == null) return { text: NONE, band: null };
  if (caughtUpMs === 0) return { text: 'caught up', band: null };
  const text = formatDuration(wholeSeconds(caughtUpMs));
  if (low === undefined) return { text, band: null };
  const least = formatDuration(wholeSeconds(low));
  return {
    text,
    band: high === undefined ? `${least} or more` : `${least} to ${formatDuration(wholeSeconds(high))}`,
  };
}

/** Forecasts are not known to the millisecond. */
function wholeSeconds(ms: number): number {
  return Math.max(1, Math.round(ms / 1000)) * 1000;
}

/** A rate of bytes as networks are sold: `64 kbit/s`. */
export function formatBitRate(bytesPerSecond: number): string {
  const units = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s'];
  let rate = bytesPerSecond * 8;
  let unit = 0;
  while (rate >= 1000 && unit < units.length - 1) {
    rate /= 1000;
    unit += 1;
  }
  return `${Number(rate.toPrecision(3))}\u00a0${units[unit]}`;
}

/** What this day has used, `1.2 MiB`, and what the budget has left, where there is one. */
export function budgetText({ bytesToday, bytesMonth, budgetLeft }: LinkReport): {
  readonly today: string;
  readonly month: string;
  readonly left: string | null;
} {
  const orNone = (bytes: number | undefined) => (bytes === undefined ? NONE : formatBytes(bytes));
  return {
    today: orNone(bytesToday),
    month: orNone(bytesMonth),
    left: budgetLeft === undefined ? null : formatBytes(budgetLeft),
  };
}
