/** Options that all charts share. */
import type uPlot from 'uplot';
import { type TickFormat, tickLabels, timeLabels } from '../format.ts';
import type { ChartColors } from './colors.ts';

export type ChartSize = { readonly width: number; readonly height: number };

/** Times on the x axis are epoch ms; the legend is ours. */
export function baseOptions(
  size: ChartSize,
): Pick<uPlot.Options, 'ms' | 'width' | 'height' | 'legend' | 'padding'> {
  return { ms: 1, width: size.width, height: size.height, legend: { show: false }, padding: [8, 26, 0, 0] };
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Distances of ticks that are round in seconds, minutes and hours. */
const TIME_STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12, 24].map((count) => count * HOUR),
];

/** Local times, without seconds where ticks are minutes apart; none twice. `now`: whose year goes without saying. */
export function timeAxis(colors: ChartColors, now: () => number): uPlot.Axis {
  return {
    stroke: colors.text,
    font: colors.font,
    grid: { stroke: colors.grid, width: 1 },
    ticks: { stroke: colors.grid, width: 1, size: 4 },
    size: 26,
    gap: 4,
    space: 60,
    incrs: TIME_STEPS,
    values: (_chart, splits, _axis, _space, apart) => timeLabels(splits, apart, now()),
  };
}

/** Values on the y axis, written by `format`, none twice; as wide as its widest label. */
export function valueAxis(colors: ChartColors, format: TickFormat): uPlot.Axis {
  return {
    stroke: colors.text,
    font: colors.font,
    grid: { stroke: colors.grid, width: 1 },
    ticks: { show: false },
    gap: 6,
    space: 32,
    values: (_chart, splits) => tickLabels(splits, format),
    size: (chart, values) => {
      if (!values) return 40;
      // uPlot remembers which font it set last: it must find that one again.
      const { font } = chart.ctx;
      chart.ctx.font = colors.font;
      const widest = Math.max(0, ...values.map((label) => chart.ctx.measureText(label).width));
      chart.ctx.font = font;
      return Math.ceil(widest) + 14;
    },
  };
}
