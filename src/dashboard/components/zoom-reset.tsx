import type { TimeSpan } from '../charts/zoom.ts';
import { formatDateTime } from '../format.ts';

/** What stretch of time is looked at, and the way back to now. */
export function ZoomReset({ span, onReset }: { readonly span: TimeSpan; readonly onReset: () => void }) {
  return (
    <span className="zoomed" role="status">
      {formatDateTime(span.from)} to {formatDateTime(span.to)}
      <button type="button" onClick={onReset}>
        Back to now
      </button>
    </span>
  );
}
