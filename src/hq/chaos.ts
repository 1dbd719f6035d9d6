/** Chaos: HQ spoils its own link on purpose, so that everyone can see what happens then. */
import type { StateObservable } from '@rx-state/core';
import type { Observable } from 'rxjs';
import type { Chaos, ChaosMode } from '../protocol/fleet.ts';

export type ChaosControl = {
  readonly state$: StateObservable<Chaos>;
  readonly current: () => Chaos;
  /** False when chaos is not enabled at this HQ; nothing changes then. */
  readonly setMode: (mode: ChaosMode) => boolean;
  /** Emits once what becomes of a message now, after whatever delay the effect imposes. `refuse`: answer `unavailable`; `lose`: answer nothing. */
  readonly admit: () => Observable<'pass' | 'refuse' | 'lose'>;
};
