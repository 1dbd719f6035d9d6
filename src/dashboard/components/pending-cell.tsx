import { TRAIL_HEIGHT as HEIGHT, trailPaths, TRAIL_WIDTH as WIDTH } from '../charts/trail.ts';
import { formatBytes, formatCount, formatExact } from '../format.ts';
import type { AgentEntry } from '../state/fleet-state.ts';
import { AsOf } from './time.tsx';

/**
 * Samples and bytes that wait in the agent's journal, with how that went over the last 90 s. Of an agent that cannot be
 * heard they are as old as its last word.
 */
export function PendingCell({ entry }: { readonly entry: AgentEntry }) {
  const { pending, pendingBytes, pendingThinned, state, heardTs } = entry.summary;
  const thinned = pendingThinned > 0 ? `, ${formatExact(pendingThinned)} of them thinned` : '';
  // Counts follow each frame, bytes only the agent's own word: none are known of what is pending since.
  const bytes = pending > 0 && pendingBytes === 0 ? null : pendingBytes;
  const paths = trailPaths(entry.trail);
  return (
    <span
      className="pending"
      title={`${formatExact(pending)} samples${thinned}${bytes === null ? '' : `, ${formatExact(bytes)} bytes`}`}
    >
      <svg className="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        {paths === null ? (
          <path className="spark-flat" d={`M0 ${HEIGHT - 1}H${WIDTH}`} />
        ) : (
          <>
            <path className="spark-area" d={paths.area} />
            <path className="spark-line" d={paths.line} />
          </>
        )}
      </svg>
      <span className="pending-text">
        <span className={pending > 0 ? 'pending-some' : 'pending-none'}>{formatCount(pending)}</span>
        {bytes !== null && <small>{formatBytes(bytes)}</small>}
        {(state === 'offline' || state === 'refused') && <AsOf ts={heardTs} />}
      </span>
    </span>
  );
}
