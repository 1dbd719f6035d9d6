import { useEffect } from 'react';
import { CardBoundary } from '../../components/card-boundary.tsx';
import { useFreshness, useTotals } from '../../state/fleet.ts';
import { ChaosCard } from './chaos-card.tsx';
import { FleetTable } from './fleet-table.tsx';
import { IngestCard } from './ingest-card.tsx';
import { Kpis } from './kpis.tsx';
import { RefusedCard } from './refused-card.tsx';

/** The whole fleet. */
export function FleetView() {
  const known = useTotals() !== null;
  useEffect(() => {
    document.title = 'Fleet · Holdfast';
  }, []);
  if (!known) return <Waiting />;
  return (
    <main className="page">
      <h1 className="sr-only">Fleet</h1>
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
    </main>
  );
}

function Waiting() {
  const freshness = useFreshness();
  return (
    <main className="page">
      <p className="nothing" role="status">
        {freshness.kind === 'unauthorized'
          ? 'HQ shows its fleet to those who have its token.'
          : 'Waiting for HQ …'}
      </p>
    </main>
  );
}
