import { memo, useState } from 'react';
import { AnomalyIcon } from '../../components/icons.tsx';
import { PendingCell } from '../../components/pending-cell.tsx';
import { ShareMeter, shareOf } from '../../components/share-meter.tsx';
import { BreakerBadge, StateBadge } from '../../components/state-badge.tsx';
import { Age } from '../../components/time.tsx';
import { formatDuration, formatExact, formatRate, NONE } from '../../format.ts';
import { agentNow, useAgent } from '../../state/fleet.ts';
import type { AgentEntry } from '../../state/fleet-state.ts';
import { useInView } from './use-in-view.ts';

/** A live agent's newest sample should not be older than this. */
const OLD_SAMPLE_MS = 10_000;

/** One agent of the fleet. It listens to that agent alone, and only while someone can see it. */
export const FleetRow = memo(function FleetRow({ id }: { readonly id: string }) {
  const [ref, inView] = useInView<HTMLTableRowElement>();
  return (
    <tr ref={ref} data-agent={id}>
      <th scope="row">
        <a className="row-link" href={`#/agents/${id}`}>
          {id}
        </a>
      </th>
      {inView ? <LiveCells id={id} /> : <RestingCells id={id} />}
    </tr>
  );
});

function LiveCells({ id }: { readonly id: string }) {
  const entry = useAgent(id);
  return entry === null ? null : <Cells entry={entry} ticking />;
}

/** What was true when the row left the screen: still there for a search in the page. */
const RestingCells = memo(function RestingCells({ id }: { readonly id: string }) {
  const [entry] = useState(() => agentNow(id));
  return entry === null ? null : <Cells entry={entry} ticking={false} />;
});

function Cells({ entry, ticking }: { readonly entry: AgentEntry; readonly ticking: boolean }) {
  const { summary } = entry;
  const sampledAt =
    summary.lastSampleTs === null
      ? summary.lastArrivalTs
      : summary.lastSampleTs - (summary.clockOffsetMs ?? 0);
  return (
    <>
      <td className="cell-state">
        <StateBadge state={summary.state} />
      </td>
      <td data-label="Last sample" className="number">
        {ticking && (
          <Age ts={sampledAt} {...(summary.state === 'live' ? { oldMs: OLD_SAMPLE_MS } : undefined)} />
        )}
      </td>
      <td data-label="Lag" className="number">
        {summary.lagMs === null ? <span className="none">{NONE}</span> : formatDuration(summary.lagMs)}
      </td>
      <td data-label="Rate" className="number">
        {formatRate(summary.samplesPerSecond)}
      </td>
      <td data-label="Pending" className="cell-pending">
        <PendingCell entry={entry} />
      </td>
      <td data-label="Complete" className="number">
        <ShareMeter share={summary.completeness} thinned={shareOf(summary.thinned, summary.sampled)} />
      </td>
      <td data-label="Dropped" className={summary.dropped > 0 ? 'number bad' : 'number quiet'}>
        {formatExact(summary.dropped)}
      </td>
      <td data-label="Anomalies" className="number">
        {summary.openAnomalies > 0 ? (
          <span className="anomaly">
            <AnomalyIcon /> {formatExact(summary.openAnomalies)}
            <span className="sr-only"> open</span>
          </span>
        ) : (
          <span className="quiet" title={`${formatExact(summary.anomaliesTotal)} in all`}>
            0
          </span>
        )}
      </td>
      <td data-label="Breaker">
        {summary.over !== 'link' ? (
          <span className="none">{NONE}</span>
        ) : (
          <BreakerBadge breaker={summary.breaker} />
        )}
      </td>
    </>
  );
}
