import type { ReactNode } from 'react';
import { formatBytes, formatCount, formatExact, formatRate, formatShare, NONE } from '../../format.ts';
import { useFleetHealth, useTotals } from '../../state/fleet.ts';

function Kpi(props: {
  readonly name: string;
  readonly value: string;
  readonly note: ReactNode;
  readonly tone?: 'bad' | 'warn' | 'anomaly' | undefined;
  readonly title?: string;
}) {
  return (
    <div className="kpi" title={props.title}>
      <dt>{props.name}</dt>
      <dd className={props.tone}>{props.value}</dd>
      <dd className="kpi-note">{props.note}</dd>
    </div>
  );
}

function senders(overHttp: number, overdue: number): string {
  if (overHttp === 0) return 'agents';
  const late = overdue === 0 ? '' : `, ${formatExact(overdue)} overdue`;
  return `agents · ${formatExact(overHttp)} by HTTP${late}`;
}

/** The fleet in six figures. */
export function Kpis() {
  const totals = useTotals();
  const health = useFleetHealth();
  if (totals === null) return null;
  const overdue = (health.states.get('late') ?? 0) + (health.states.get('silent') ?? 0);
  return (
    <dl className="kpis" aria-label="Fleet figures">
      <Kpi
        name="Connected"
        value={`${formatExact(totals.connected)} / ${formatExact(health.linked)}`}
        note={senders(health.overHttp, overdue)}
        tone={totals.connected < health.linked || overdue > 0 ? 'warn' : undefined}
        title="agents whose link stands and carries, of those that deliver over one"
      />
      <Kpi
        name="Ingest"
        value={formatRate(totals.samplesPerSecond)}
        note={`${formatBytes(totals.bytesPerSecond)}/s`}
      />
      <Kpi
        name="Pending"
        value={formatCount(totals.pending)}
        note="samples in journals"
        tone={totals.pending > 0 ? 'warn' : undefined}
        title={formatExact(totals.pending)}
      />
      <Kpi
        name="Stored"
        value={formatCount(totals.stored)}
        note={
          totals.thinned === 0
            ? `${formatShare(health.completeness)} complete`
            : `${formatShare(health.completeness)} complete · ${formatCount(totals.thinned)} thinned`
        }
        title={`${formatExact(totals.stored)} whole, ${formatExact(totals.thinned)} thinned`}
      />
      <Kpi
        name="Dropped"
        value={formatCount(totals.dropped)}
        note={totals.dropped === 0 ? 'nothing is lost' : 'named in the ledger'}
        tone={totals.dropped > 0 ? 'bad' : undefined}
        title={formatExact(totals.dropped)}
      />
      <Kpi
        name="Anomalies"
        value={totals.agents === 0 ? NONE : formatExact(health.openAnomalies)}
        note="open now"
        tone={health.openAnomalies > 0 ? 'anomaly' : undefined}
      />
    </dl>
  );
}
