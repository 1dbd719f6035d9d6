import { WarningIcon } from '../components/icons.tsx';
import { formatAge, formatExact } from '../format.ts';
import { useDamage, useFreshness, useUnreadable } from '../state/fleet.ts';

/** Says so when what is shown is not current, or is not understood. */
export function StaleBanner() {
  const freshness = useFreshness();
  const damage = useDamage();
  const unreadable = useUnreadable();
  if (damage !== null || unreadable > 0)
    return (
      <div className="banner banner-bad" role="alert">
        <WarningIcon />
        <span>
          HQ sends what this page does not understand; most likely HQ was updated.
          {damage === null &&
            ` Not shown: ${formatExact(unreadable)} ${unreadable === 1 ? 'agent' : 'agents'}.`}
        </span>
        <button type="button" onClick={() => location.reload()}>
          Load the page again
        </button>
      </div>
    );
  if (freshness.kind !== 'stale') return null;
  const age = freshness.ageMs === null ? null : formatAge(freshness.ageMs);
  const what =
    freshness.because === 'disconnected'
      ? 'No connection to HQ. Connecting again by itself.'
      : 'Connected, but HQ is silent.';
  return (
    <div className="banner" role="status">
      <WarningIcon />
      <span>
        {what}
        {/* The ticking age is for the eye: read aloud each second it would drown everything else. */}
        {age !== null && <span aria-hidden="true"> What you see is {age} old.</span>}
      </span>
    </div>
  );
}
