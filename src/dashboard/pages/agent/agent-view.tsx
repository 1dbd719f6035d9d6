import { useEffect } from 'react';
import type { AnomalyDocument } from '../../../protocol/api.ts';
import type { ZoomHandlers } from '../../charts/zoom.ts';
import { CardBoundary } from '../../components/card-boundary.tsx';
import { BackIcon } from '../../components/icons.tsx';
import { PageTitle } from '../../components/page-title.tsx';
import { Segmented } from '../../components/segmented.tsx';
import { BreakerBadge, StateBadge } from '../../components/state-badge.tsx';
import { ZoomReset } from '../../components/zoom-reset.tsx';
import { hqNow, useAgent, useTotals } from '../../state/fleet.ts';
import { pushRoute, RANGES, type Route, replaceRoute } from '../../state/route.ts';
import { useAnomalies, useLedger, useSeriesList } from './agent-data.ts';
import { AgentFacts } from './agent-facts.tsx';
import { AnomalyList } from './anomaly-list.tsx';
import { chartWindow } from './chart-window.ts';
import { LedgerCard } from './ledger-card.tsx';
import { chartOf, findCharts, type NamedSeries } from './named-series.ts';
import { PurgeCard } from './purge-card.tsx';
import { RetireCard } from './retire-card.tsx';
import { SeriesCard } from './series-card.tsx';
import { SeriesPicker } from './series-picker.tsx';
import { defaultSeries } from './shape.ts';

type AgentRoute = Extract<Route, { page: 'agent' }>;

const RANGE_OPTIONS = RANGES.map((range) => ({
  value: range,
  label: range.replace('m', ' min').replace('h', ' h'),
}));

/** One agent: how it is, its charts, its ledger, its anomalies. */
export function AgentView({ route }: { readonly route: AgentRoute }) {
  const { id } = route;
  const entry = useAgent(id);
  const fleetKnown = useTotals() !== null;
  useEffect(() => {
    document.title = `${id} · Holdfast`;
    window.scrollTo(0, 0);
  }, [id]);
  return (
    <main className="page">
      <div className="agent-head">
        <a className="back" href="#/">
          <BackIcon />
          Fleet
        </a>
        <PageTitle>{id}</PageTitle>
        {entry !== null && (
          <CardBoundary name="State">
            <StateBadge state={entry.summary.state} />
            {entry.summary.over === 'link' && (
              <span className="agent-breaker">
                breaker <BreakerBadge breaker={entry.summary.breaker} />
              </span>
            )}
          </CardBoundary>
        )}
      </div>
      {entry === null ? (
        <p className="nothing" role="status">
          {fleetKnown ? `HQ knows no agent named ${id}.` : 'Waiting for HQ …'}
        </p>
      ) : (
        <>
          <CardBoundary name="Facts">
            <AgentFacts entry={entry} />
          </CardBoundary>
          <CardBoundary name="Series">
            <AgentCharts route={route} clockOffsetMs={entry.summary.clockOffsetMs ?? 0} />
          </CardBoundary>
          <AgentRecords route={route} />
          {!entry.summary.connected && (
            <>
              <CardBoundary name="Retire">
                <RetireCard id={id} />
              </CardBoundary>
              <CardBoundary name="Remove for good">
                <PurgeCard id={id} />
              </CardBoundary>
            </>
          )}
        </>
      )}
    </main>
  );
}

function AgentCharts({
  route,
  clockOffsetMs,
}: {
  readonly route: AgentRoute;
  readonly clockOffsetMs: number;
}) {
  const list = useSeriesList(route.id);
  const window = chartWindow(route, hqNow());
  const anomalies = useAnomalies(route.id, window.from, window.spanMs);
  const zoom: ZoomHandlers = {
    onZoom: (span) => pushRoute({ ...route, zoom: span }),
    onReset: () => replaceRoute({ ...route, zoom: null }),
  };
  const ledger = useLedger(route.id);
  const all = list.data ?? [];
  const shown = findCharts(all, route.series ?? defaultSeries(all));
  const chosen = shown.map(({ chart }) => chart);
  const lost = (ledger.data ?? []).flatMap((entry) => entry.gaps);
  return (
    <section aria-labelledby="charts-title">
      <div className="section-head">
        <h2 id="charts-title">Series</h2>
        <SeriesPicker all={all} chosen={chosen} onChoose={(series) => replaceRoute({ ...route, series })} />
        {route.zoom !== null && <ZoomReset span={route.zoom} onReset={zoom.onReset} />}
        <Segmented
          label="Range of the charts"
          options={RANGE_OPTIONS}
          value={route.range}
          onChange={(range) => replaceRoute({ ...route, range, zoom: null })}
        />
      </div>
      {list.error !== null && list.data === null && (
        <p className="problem" role="alert">
          {list.error}
        </p>
      )}
      {list.data !== null && shown.length === 0 && (
        <p className="nothing">
          {all.length === 0 ? 'HQ holds no series of this agent yet.' : 'No series chosen.'}
        </p>
      )}
      <div className="charts">
        {shown.map((series) => (
          <CardBoundary key={series.chart} name={series.chart}>
            <SeriesCard
              agent={route.id}
              series={series}
              window={window}
              zoom={zoom}
              anomalies={(anomalies.data ?? []).filter((anomaly) => isOf(anomaly, series))}
              lost={lost}
              clockOffsetMs={clockOffsetMs}
            />
          </CardBoundary>
        ))}
      </div>
    </section>
  );
}

/** What was stored before HQ kept the source may be of any that has the series. */
function isOf({ series, source }: AnomalyDocument, one: NamedSeries): boolean {
  return series === one.series && (source === undefined || source === one.source);
}

function AgentRecords({ route }: { readonly route: AgentRoute }) {
  const all = useSeriesList(route.id).data ?? [];
  const window = chartWindow(route, hqNow());
  const range = RANGE_OPTIONS.find(({ value }) => value === route.range)?.label ?? route.range;
  return (
    <>
      <CardBoundary name="Ledger">
        <LedgerCard ledger={useLedger(route.id)} />
      </CardBoundary>
      <CardBoundary name="Anomalies">
        <AnomalyList
          anomalies={useAnomalies(route.id, window.from, window.spanMs)}
          when={route.zoom === null ? `in the last ${range}` : window.text}
          chartOf={(anomaly) => chartOf(all, anomaly)}
          onShow={(anomaly) => {
            const charts = findCharts(all, route.series ?? []).map(({ chart }) => chart);
            const more = all.filter((one) => isOf(anomaly, one)).map(({ chart }) => chart);
            if (more.some((chart) => !charts.includes(chart)))
              replaceRoute({ ...route, series: [...new Set([...more, ...charts])] });
          }}
        />
      </CardBoundary>
    </>
  );
}
