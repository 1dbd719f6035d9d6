import { drawableSpan, type TimeSpan } from '../../charts/zoom.ts';
import { formatDateTime, NONE } from '../../format.ts';
import { hqNow } from '../../state/fleet.ts';
import type { ChartWindow } from './chart-window.ts';

/** Of a series without a value in the time that is shown: when its newest one was, and the way there. */
export function NewestValue(props: {
  readonly lastTs: number | null;
  readonly window: ChartWindow;
  readonly onZoom: (span: TimeSpan) => void;
}) {
  const { lastTs, window, onZoom } = props;
  if (lastTs === null) return NONE;
  const now = hqNow();
  const from = window.from ?? now - window.spanMs;
  if (lastTs >= from && lastTs < from + window.spanMs) return NONE;
  const begin = Math.max(0, lastTs - window.spanMs * 0.9);
  const span = drawableSpan(begin, begin + window.spanMs);
  const text = `newest: ${formatDateTime(lastTs, now)}`;
  if (span === null) return <small>{text}</small>;
  return (
    <button type="button" className="text-button" onClick={() => onZoom(span)}>
      {text}
    </button>
  );
}
