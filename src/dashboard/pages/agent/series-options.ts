/** A series of an agent: mean as a line within its min–max band, gaps and thinned ranges shaded, anomalies marked. */
import type uPlot from 'uplot';
import type { AnomalyDocument, LedgerEntry } from '../../../protocol/api.ts';
import type { ChartColors } from '../../charts/colors.ts';
import { baseOptions, type ChartSize, timeAxis, valueAxis } from '../../charts/options.ts';
import { type Mark, type ShadedSpan, shadingPlugin } from '../../charts/shading.ts';
import { type ZoomHandlers, zoomCursor, zoomHooks } from '../../charts/zoom.ts';
import { BINARY_STEPS, type TickFormat } from '../../format.ts';
import { isolatedRows, type Shape } from './shape.ts';

export type SeriesView = {
  readonly shape: Shape;
  readonly from: number;
  readonly to: number;
  readonly anomalies: readonly AnomalyDocument[];
  /**
   * Whether the peaks of anomalies lie on the scale that is drawn: those of a counter do not lie on that of its rate.
   */
  readonly peaks: boolean;
  readonly lost: LedgerEntry['gaps'];
};

/** Columns: time, max, min, mean. */
export const seriesData = ({ shape }: SeriesView): uPlot.AlignedData => [
  [...shape.t],
  [...shape.max],
  [...shape.min],
  [...shape.mean],
];

const LABELS_FROM_MS = 2000;

export function seriesSpans(view: SeriesView, colors: ChartColors): readonly ShadedSpan[] {
  const base = { labelColor: colors.text };
  return [
    ...view.shape.thinned.map((span) => ({
      ...base,
      ...span,
      fill: colors.thinned,
      hatch: null,
      label: 'thinned',
    })),
    ...view.shape.gaps.map((gap) => ({
      ...base,
      ...gap,
      fill: colors.gap,
      hatch: colors.gapEdge,
      label: gap.to - gap.from >= LABELS_FROM_MS ? 'no data' : null,
    })),
    ...view.lost.map((gap) => ({
      ...base,
      from: gap.fromTs,
      to: gap.toTs,
      fill: colors.lost,
      hatch: colors.lostEdge,
      label: `lost: ${gap.reason.replaceAll('_', ' ')}`,
    })),
    ...view.anomalies.map((anomaly) => ({
      ...base,
      from: anomaly.startTs,
      to: anomaly.endTs ?? view.to,
      fill: colors.anomalyArea,
      hatch: null,
      label: null,
    })),
  ];
}

const marksOf = (view: SeriesView, colors: ChartColors): readonly Mark[] =>
  peaksOf(view).map((peak) => ({ ...peak, color: colors.anomaly }));

const peaksOf = ({
  anomalies,
  peaks,
}: SeriesView): readonly { readonly t: number; readonly value: number }[] =>
  peaks
    ? anomalies.flatMap(({ peakTs, peakValue }) =>
        typeof peakValue === 'number' ? [{ t: peakTs, value: peakValue }] : [],
      )
    : [];

/** Room around the values; peaks of anomalies are kept in view, and a constant series does not collapse. */
function rangeOf(view: SeriesView, min: number | null, max: number | null): uPlot.Range.MinMax {
  const peaks = peaksOf(view)
    .filter(({ t }) => t >= view.from && t <= view.to)
    .map(({ value }) => value);
  if (min === null || max === null) return [0, 1];
  const low = Math.min(min, ...peaks);
  const high = Math.max(max, ...peaks);
  const room = high === low ? Math.max(Math.abs(high) * 0.1, 0.5) : (high - low) * 0.12;
  // A floor below zero would suggest negative values where there are none.
  return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
}

export function seriesOptions(options: {
  readonly colors: ChartColors;
  readonly size: ChartSize;
  readonly view: () => SeriesView;
  /** Epoch ms. */
  readonly now: () => number;
  readonly format: TickFormat;
  /** Whether the ticks are round in binary units. */
  readonly binary: boolean;
  /** Index of the row under the pointer; null when there is none. */
  readonly onCursor: (index: number | null) => void;
  readonly zoom: ZoomHandlers;
}): uPlot.Options {
  const { colors, size, view, now, format, binary, onCursor, zoom } = options;
  return {
    ...baseOptions(size),
    cursor: zoomCursor(zoom, 'agent'),
    scales: {
      x: { time: true, range: () => [view().from, view().to] },
      y: { range: (_chart, min, max) => rangeOf(view(), min, max) },
    },
    series: [
      {},
      { stroke: 'transparent', width: 0, points: { show: false } },
      { stroke: 'transparent', width: 0, points: { show: false } },
      {
        stroke: colors.line,
        width: 1.5,
        points: {
          show: true,
          size: 4,
          width: 0,
          fill: colors.line,
          filter: () => isolatedRows(view().shape.mean),
        },
      },
    ],
    bands: [{ series: [1, 2], fill: colors.area }],
    axes: [
      timeAxis(colors, now),
      { ...valueAxis(colors, format), ...(binary ? { incrs: BINARY_STEPS } : {}) },
    ],
    hooks: { ...zoomHooks(zoom), setCursor: [(chart) => onCursor(chart.cursor.idx ?? null)] },
    plugins: [
      shadingPlugin({
        spans: () => seriesSpans(view(), colors),
        marks: () => marksOf(view(), colors),
        font: colors.font,
      }),
    ],
  };
}
