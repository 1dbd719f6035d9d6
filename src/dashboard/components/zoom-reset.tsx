import type { TimeSpan } from '../charts/zoom.ts';
import { formatDateTime } from '../format.ts';
import { hqNow } from '../state/fleet.ts';

/** What stretch of time is looked at, and the way back to now. */
export function ZoomReset({ span, onReset }: { readonly span: TimeSpan; readonly onReset: () => void }) {
  const now = hqNow();
  return (
    <span className="zoomed" role="status">
      {formatDateTime(span.from, now)} to {formatDateTime(span.to, now)}
      <button type="button" onClick={onReset}>
        Back to now
      </button>
    </span>
  );
}
