import { formatShare } from '../format.ts';

/** A share of 0 … 1 with a thin bar under it; anything short of the whole stands out. */
export function ShareMeter({ share }: { readonly share: number }) {
  return (
    <span className={share >= 1 ? 'share' : 'share share-short'}>
      {formatShare(share)}
      <span className="meter" aria-hidden="true">
        <span style={{ width: `${Math.max(0, Math.min(1, share)) * 100}%` }} />
      </span>
    </span>
  );
}
