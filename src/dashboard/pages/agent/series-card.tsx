import { useMemo, useRef, useState } from 'react';
import type { AnomalyDocument, LedgerEntry } from '../../../protocol/api.ts';
import type { ChartColors } from '../../charts/colors.ts';
import type { ChartSize } from '../../charts/options.ts';
import type { ZoomHandlers } from '../../charts/zoom.ts';
import { AnomalyIcon } from '../../components/icons.tsx';
import { AsOf } from '../../components/time.tsx';
import { UplotBox } from '../../components/uplot-box.tsx';
import { formatClock, formatTick, formatValue } from '../../format.ts';
import { hqNow, useIsLive } from '../../state/fleet.ts';
import { pollMsFor, useBuckets } from './agent-data.ts';
import type { ChartWindow } from './chart-window.ts';
import type { NamedSeries } from './named-series.ts';
import { NewestValue } from './newest-value.tsx';
import { type SeriesView, seriesData, seriesOptions } from './series-options.ts';
import { isCounter, shapeBuckets, toRate } from './shape.ts';

const HEIGHT = 150;
/** Widths are rounded to this, so that dragging a window's edge does not ask HQ for each pixel. */
const WIDTH_STEP = 100;

/** One series of an agent as a live chart. */
export function SeriesCard(props: {
  readonly agent: string;
  readonly series: NamedSeries;
  /** What is looked at. */
  readonly window: ChartWindow;
  readonly zoom: ZoomHandlers;
  readonly anomalies: readonly AnomalyDocument[];
  readonly lost: LedgerEntry['gaps'];
  /** The agent's wall clock minus HQ's, ms. */
  readonly clockOffsetMs: number;
}) {
  const { agent, series, window, zoom, anomalies, lost, clockOffsetMs } = props;
  const [width, setWidth] = useState(500);
  const [row, setRow] = useState<number | null>(null);
  const { data: loaded, error } = useBuckets(
    agent,
    series.source,
    series.series,
    window.from,
    window.spanMs,
    width,
  );
  const stepMs = loaded?.stepMs ?? 0;
  const live = useIsLive();
  const counter = isCounter(series);
  const unit = counter ? `${series.unit}/s` : series.unit;
  const shape = useMemo(() => {
    if (loaded === null) return null;
    const plain = shapeBuckets(loaded.buckets, { ...loaded, firstTs: series.firstTs, middles: counter });
    return counter ? toRate(plain) : plain;
  }, [loaded, series.firstTs, counter]);
  const view: SeriesView = {
    shape: shape ?? { t: [], mean: [], min: [], max: [], gaps: [], thinned: [], latest: null },
    from: window.from ?? loaded?.from ?? 0,
    to: window.from === null ? (loaded?.to ?? 1) : window.from + window.spanMs,
    anomalies,
    peaks: !counter,
    lost,
  };
  const latest = useRef(view);
  latest.current = view;
  const latestZoom = useRef(zoom);
  latestZoom.current = zoom;
  // biome-ignore lint/correctness/useExhaustiveDependencies: view is made of these
  const data = useMemo(() => seriesData(view), [shape, anomalies, lost]);
  const format = (value: number) => formatValue(value, unit, series.name);
  const build = (colors: ChartColors, size: ChartSize) =>
    seriesOptions({
      colors,
      size,
      view: () => latest.current,
      now: hqNow,
      format: (value, at) => formatTick(value, unit, series.name, at),
      binary: unit === 'By' || unit === 'By/s',
      onCursor: setRow,
      zoom: {
        onZoom: (span) => latestZoom.current.onZoom(span),
        onReset: () => latestZoom.current.onReset(),
      },
    });

  const pointed = row === null ? null : (view.shape.mean[row] ?? null);
  const pointedAt = row === null ? null : (view.shape.t[row] ?? null);
  const now = view.shape.latest;
  const attributes = Object.entries(series.attributes);
  const open = anomalies.filter((anomaly) => anomaly.state === 'open').length;
  return (
    <article className={error === null ? 'card series' : 'card series is-stale'}>
      <div className="series-head">
        <h3 title={series.chart}>
          {series.name}
          {attributes.map(([key, value]) => (
            <span key={key} className="attribute" title={`${key}=${value}`}>
              {value}
            </span>
          ))}
          {series.chart !== series.series && (
            <span className="attribute" title={`source ${series.source}`}>
              {series.source}
            </span>
          )}
        </h3>
        {open > 0 && (
          <span className="anomaly" title={`${open} open`}>
            <AnomalyIcon />
            <span className="sr-only">anomaly open</span>
          </span>
        )}
        <span className="series-value">
          {pointed !== null && pointedAt !== null ? (
            <>
              <small>{formatClock(pointedAt, hqNow())}</small> {format(pointed)}
            </>
          ) : now === null ? (
            shape !== null && <NewestValue lastTs={series.lastTs} window={window} onZoom={zoom.onZoom} />
          ) : (
            <>
              <AsOf ts={now.t + stepMs - clockOffsetMs} freshMs={stepMs + pollMsFor(window.spanMs)} />{' '}
              {format(now.value)}
            </>
          )}
        </span>
      </div>
      <UplotBox
        height={HEIGHT}
        label={`${series.chart} ${window.text}: ${now === null ? 'no value' : `latest ${format(now.value)} at ${formatClock(now.t, hqNow())}`}, gaps: ${view.shape.gaps.length}, thinned: ${view.shape.thinned.length}, anomalies: ${view.anomalies.length}`}
        data={data}
        build={build}
        identity={`${series.chart} ${unit}`}
        onWidth={(next) => setWidth(Math.ceil(next / WIDTH_STEP) * WIDTH_STEP)}
      />
      {view.shape.thinned.length > 0 && (
        <p className="series-note">
          <span className="swatch-thinned" aria-hidden="true" />
          {counter
            ? 'thinned, as the journal was full: rate of the means'
            : 'thinned, as the journal was full: min, max, mean are left'}
        </p>
      )}
      {live && error !== null && <p className="problem">{error}</p>}
    </article>
  );
}
