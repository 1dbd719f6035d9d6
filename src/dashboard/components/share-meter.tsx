import { formatShare } from '../format.ts';

export const shareOf = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

/**
 * A share of 0 … 1 with a thin bar under it; anything short of the whole stands out. `thinned` is the part of it of
 * which only statistics are left: neither missing nor whole, it has a colour of its own at the end of the bar.
 */
export function ShareMeter({ share, thinned }: { readonly share: number; readonly thinned: number }) {
  const percent = (part: number) => `${Math.max(0, Math.min(1, part)) * 100}%`;
  const title = thinned > 0 ? `${formatShare(thinned)} of it thinned` : undefined;
  return (
    <span className={share >= 1 ? 'share' : 'share share-short'} title={title}>
      {formatShare(share)}
      {thinned > 0 && <span className="sr-only">, {title}</span>}
      <span className="meter" aria-hidden="true">
        <span style={{ width: percent(share - thinned) }} />
        {thinned > 0 && <span className="meter-thinned" style={{ width: percent(thinned) }} />}
      </span>
    </span>
  );
}
