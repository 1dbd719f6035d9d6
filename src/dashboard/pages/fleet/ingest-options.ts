/** The ingest graph: samples a second as an area, bytes a second as a line on an axis of its own, chaos shaded. */
import type uPlot from 'uplot';
import type { ChaosSpan, IngestPoint } from '../../../protocol/api.ts';
import type { ChartColors } from '../../charts/colors.ts';
import { baseOptions, type ChartSize, timeAxis, valueAxis } from '../../charts/options.ts';
import { type ShadedSpan, shadingPlugin } from '../../charts/shading.ts';
import { type TimeSpan, type ZoomHandlers, zoomCursor, zoomHooks } from '../../charts/zoom.ts';
import { BINARY_STEPS, formatBytes, formatTick } from '../../format.ts';

export type IngestView = {
  readonly ingest: readonly IngestPoint[];
  readonly chaosSpans: readonly ChaosSpan[];
  /** Right edge, epoch ms. */
  readonly to: number;
  readonly windowMs: number;
  /** What is looked at instead; null: the window up to now. */
  readonly zoom: TimeSpan | null;
};

function shownSpan(view: IngestView): uPlot.Range.MinMax {
  return view.zoom === null ? [ingestFrom(view), view.to] : [view.zoom.from, view.zoom.to];
}

/**
 * A young HQ is not drawn as a speck at the right edge: the graph begins with its first point, but a minute ago at the
 * latest.
 */
const SHORTEST_MS = 60_000;
export function ingestFrom({ ingest, to, windowMs }: IngestView): number {
  const first = ingest[0]?.t ?? to;
  return Math.max(to - windowMs, Math.min(first, to - SHORTEST_MS));
}

const EFFECT_LABELS: Readonly<Record<ChaosSpan['effect'], string>> = {
  down: 'link down',
  slow: 'slow link',
  lossy: 'lossy link',
};

/** Points are a second apart; beyond this HQ was away, and no line is drawn. */
const AWAY_MS = 5_000;

/** Columns: time, samples/s, bytes/s; a row of nulls where HQ was away. */
export function ingestData({ ingest }: IngestView): uPlot.AlignedData {
  const t: number[] = [];
  const samples: (number | null)[] = [];
  const bytes: (number | null)[] = [];
  for (const point of ingest) {
    const before = t.at(-1);
    if (before !== undefined && point.t - before > AWAY_MS) {
      t.push(before + 1);
      samples.push(null);
      bytes.push(null);
    }
    t.push(point.t);
    samples.push(point.samples);
    bytes.push(point.bytes);
  }
  return [t, samples, bytes];
}

/** A scale from zero that leaves room above the highest value and never collapses. */
const fromZero: uPlot.Range.Function = (_chart, _min, max) => [0, Math.max(1, (max ?? 0) * 1.15)];

export function ingestOptions(
  colors: ChartColors,
  size: ChartSize,
  view: () => IngestView,
  zoom: ZoomHandlers,
): uPlot.Options {
  const spans = (): readonly ShadedSpan[] =>
    view().chaosSpans.map((span) => ({
      from: span.from,
      to: span.to ?? view().to,
      fill: span.effect === 'down' ? colors.lost : colors.slow,
      hatch: span.effect === 'down' ? colors.lost : null,
      label: EFFECT_LABELS[span.effect],
      labelColor: colors.text,
    }));
  return {
    ...baseOptions(size),
    padding: [8, 4, 0, 0],
    cursor: zoomCursor(zoom),
    hooks: zoomHooks(zoom),
    scales: {
      x: { time: true, range: () => shownSpan(view()) },
      y: { range: fromZero },
      bytes: { range: fromZero },
    },
    series: [
      {},
      { scale: 'y', stroke: colors.line, width: 1.75, fill: colors.area, points: { show: false } },
      { scale: 'bytes', stroke: colors.second, width: 1.25, dash: [4, 3], points: { show: false } },
    ],
    axes: [
      timeAxis(colors, () => view().to),
      { ...valueAxis(colors, (value, { more }) => formatTick(value, '', '', { more })), scale: 'y' },
      {
        ...valueAxis(colors, (value, { top, more }) => formatBytes(value, top, 3 + more)),
        scale: 'bytes',
        side: 1,
        incrs: BINARY_STEPS,
        grid: { show: false },
      },
    ],
    plugins: [shadingPlugin({ spans, marks: () => [], font: colors.font })],
  };
}
