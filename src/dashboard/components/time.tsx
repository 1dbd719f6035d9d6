import { formatAge, formatDateTime, formatUtc, machineTime, NONE } from '../format.ts';
import { hqNow, useHqNow } from '../state/fleet.ts';

/** A moment in local time, with UTC on hover. */
export function Moment({ ts }: { readonly ts: number | null }) {
  if (ts === null) return <span className="none">{NONE}</span>;
  return (
    <time dateTime={machineTime(ts)} title={formatUtc(ts)}>
      {formatDateTime(ts, hqNow())}
    </time>
  );
}

/** From this age on a value says how old it is, ms. */
export const OLD_MS = 10_000;

/** How old a value is that is not of now, by HQ's clock; nothing alongside one that is. `freshMs`: its usual age. */
export function AsOf({ ts, freshMs = 0 }: { readonly ts: number | null; readonly freshMs?: number }) {
  const now = useHqNow();
  if (ts === null || now - ts < Math.max(OLD_MS, freshMs)) return null;
  return (
    <small className="as-of" title={formatDateTime(ts, now)}>
      {formatAge(now - ts)} ago
    </small>
  );
}

/**
 * How long ago a moment of HQ's clock was; ticks each second. Beyond `oldMs` it is emphasised; `ago` says so in words.
 */
export function Age(props: { readonly ts: number | null; readonly oldMs?: number; readonly ago?: boolean }) {
  const { ts, oldMs, ago = false } = props;
  const now = useHqNow();
  if (ts === null) return <span className="none">{NONE}</span>;
  const age = now - ts;
  return (
    <time
      className={oldMs !== undefined && age > oldMs ? 'old' : undefined}
      dateTime={machineTime(ts)}
      title={`${formatDateTime(ts, now)} · ${formatUtc(ts)}`}
    >
      {formatAge(age)}
      {ago && age >= 1000 ? ' ago' : ''}
    </time>
  );
}
