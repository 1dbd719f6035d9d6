/** Rows of the status page about the link: estimate, what it has carried, when the backlog is delivered. */
import type { AgentStatus } from '../status.ts';
import type { DrainForecast } from '../uplink/drain-forecast.ts';
import type { BudgetStatus, SpanStatus } from '../uplink/metering/gate.ts';
import type { LinkFigures } from '../uplink/uplink-status.ts';
import { bytesText, type Row, spanText } from './text.ts';

const PAUSES: Readonly<Record<NonNullable<BudgetStatus['why']>, string>> = {
  budget_day: 'the data budget of the day is used up',
  budget_month: 'the data budget of the month is used up',
  live_first: 'backlog waits, for the rest of the data budget is for live samples',
  window: 'backlog waits for its hours',
  way: 'backlog waits for a way that may carry it',
};

export function estimateRows({ uplink, forecast }: AgentStatus): Row[] {
  if (uplink === null) return [];
  // A link that comes and goes has a forecast while it is away, too.
  if (uplink.link === null && forecast.kind === 'unknown') return [];
  return [...(uplink.link === null ? [] : figureRows(uplink.link)), ['Caught up', forecastText(forecast)]];
}

function figureRows({ rateBytesPerSecond: rate, minRttMs, queueMs, inFlightBytes }: LinkFigures): Row[] {
  const rows: Row[] = [];
  if (rate !== null) rows.push(['Estimated rate', `${bytesText(rate)}/s (${bitRateText(rate)})`]);
  if (minRttMs !== null) rows.push(['Least round trip', `${minRttMs.toFixed(1)} ms`]);
  if (queueMs !== null) rows.push(['Queueing delay', `${queueMs.toFixed(1)} ms`]);
  return [...rows, ['Bytes in flight', bytesText(inFlightBytes)]];
}

/** In words: a person reads it. */
export function forecastText(forecast: DrainForecast): string {
  switch (forecast.kind) {
    case 'caught_up':
      return 'yes';
    case 'unknown':
      return 'not known yet';
    case 'never':
      return 'never at this rate: as much is sampled as is delivered';
    case 'in': {
      const { ms, lowMs, highMs } = forecast;
      if (lowMs === null) return `in ${spanText(ms)}`;
      const most = highMs === null ? 'or more' : `to ${spanText(highMs)}`;
      return `in ${spanText(ms)} (${spanText(lowMs)} ${most})`;
    }
  }
}

export function budgetRows({ budget }: AgentStatus): Row[] {
  if (budget === null) return [];
  const { why, until } = budget;
  const end = until === null ? '' : `, until ${new Date(until).toISOString().replace('.000Z', 'Z')}`;
  return [
    ...(why === null ? [] : [['Waits', `${PAUSES[why]}${end}`] satisfies Row]),
    ['Carried today', carriedText(budget.day)],
    ['Carried this month', carriedText(budget.month)],
  ];
}

function carriedText({ used, limit, left }: SpanStatus): string {
  return limit === null
    ? bytesText(used)
    : `${bytesText(used)} of ${bytesText(limit)}, ${bytesText(left ?? 0)} left`;
}

function bitRateText(rate: number): string {
  const units = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s'];
  let bits = rate * 8;
  let unit = 0;
  while (bits >= 1000 && unit < units.length - 1) {
    bits /= 1000;
    unit += 1;
  }
  return `${Number(bits.toPrecision(3))} ${units[unit]}`;
}
