import { useEffect } from 'react';
import { CardBoundary } from '../../components/card-boundary.tsx';
import { PageTitle } from '../../components/page-title.tsx';
import { useFreshness, useTotals } from '../../state/fleet.ts';
import { ChaosCard } from './chaos-card.tsx';
import { FleetTable } from './fleet-table.tsx';
import { HqAlarmsCard } from './hq-alarms-card.tsx';
import { IngestCard } from './ingest-card.tsx';
import { Kpis } from './kpis.tsx';
import { RefusedCard } from './refused-card.tsx';

/** The whole fleet. */
export function FleetView() {
  const known = useTotals() !== null;
  useEffect(() => {
    document.title = 'Fleet · Holdfast';
  }, []);
  return (
    <main className="page">
      <PageTitle hidden>Fleet</PageTitle>
      {known ? <Cards /> : <Waiting />}
    </main>
  );
}

function Cards() {
  return (
    <>
      <CardBoundary name="Alarms of HQ">
        <HqAlarmsCard />
      </CardBoundary>
      <CardBoundary name="Figures">
        <Kpis />
      </CardBoundary>
      <div className="split">
        <CardBoundary name="Ingest">
          <IngestCard />
        </CardBoundary>
        <CardBoundary name="Chaos">
          <ChaosCard />
        </CardBoundary>
      </div>
      <CardBoundary name="Refused agents">
        <RefusedCard />
      </CardBoundary>
      <CardBoundary name="Agents">
        <FleetTable />
      </CardBoundary>
    </>
  );
}

function Waiting() {
  const freshness = useFreshness();
  return (
    <p className="nothing" role="status">
      {freshness.kind === 'unauthorized'
        ? 'HQ shows its fleet to those who have its token.'
        : 'Waiting for HQ …'}
    </p>
  );
}
