import { formatAge, formatDateTime, formatUtc, machineTime, NONE } from '../format.ts';
import { useHqNow } from '../state/fleet.ts';

/** A moment in local time, with UTC on hover. */
export function Moment({ ts }: { readonly ts: number | null }) {
  if (ts === null) return <span className="none">{NONE}</span>;
  return (
    <time dateTime={machineTime(ts)} title={formatUtc(ts)}>
      {formatDateTime(ts)}
    </time>
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
      title={`${formatDateTime(ts)} · ${formatUtc(ts)}`}
    >
      {formatAge(age)}
      {ago && age >= 1000 ? ' ago' : ''}
    </time>
  );
}
