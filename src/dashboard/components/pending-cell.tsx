import { formatBytes, formatCount, formatExact } from '../format.ts';
import type { AgentEntry } from '../state/fleet-state.ts';

const WIDTH = 72;
const HEIGHT = 18;
const WINDOW_MS = 90_000;

/** An SVG path of the trail: its own scale from zero, newest at the right. */
export function trailPath(trail: AgentEntry['trail']): string | null {
  const highest = Math.max(...trail.map((point) => point.pending), 0);
  const last = trail.at(-1);
  if (highest === 0 || last === undefined || trail.length < 2) return null;
  return trail
    .map(({ t, pending }, index) => {
      const x = WIDTH - ((last.t - t) / WINDOW_MS) * WIDTH;
      const y = HEIGHT - 1 - (pending / highest) * (HEIGHT - 2);
      return `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
}

/** Samples and bytes that wait in the agent's journal, with how that went over the last 90 s. */
export function PendingCell({ entry }: { readonly entry: AgentEntry }) {
  const { pending, pendingBytes } = entry.summary;
  const path = trailPath(entry.trail);
  return (
    <span className="pending" title={`${formatExact(pending)} samples, ${formatExact(pendingBytes)} bytes`}>
      <svg className="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        {path === null ? (
          <path className="spark-flat" d={`M0 ${HEIGHT - 1}H${WIDTH}`} />
        ) : (
          <>
            <path className="spark-area" d={`${path}V${HEIGHT}H0Z`} />
            <path className="spark-line" d={path} />
          </>
        )}
      </svg>
      <span className="pending-text">
        <span className={pending > 0 ? 'pending-some' : 'pending-none'}>{formatCount(pending)}</span>
        <small>{formatBytes(pendingBytes)}</small>
      </span>
    </span>
  );
}
