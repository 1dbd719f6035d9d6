/** Why a journal is refused as a fork, for people. */
import type { Hello } from '../../../protocol/events.ts';

/** HQ knows what it refuses by; of its causes only the agent can tell damage, and whatever it says, it is refused. */
export function whyForked({ epoch, run }: Hello, holder: string | null): string {
  if (holder !== null) return `is a copy, or its id was changed: its epoch ${epoch} is that of ${holder}`;
  return run?.rebuilt === true
    ? `was damaged and has lost its ledger: it no longer knows what it has delivered in its epoch ${epoch}`
    : `is a copy or was rolled back: another one, or it itself, has sampled more, or delivered more, in its epoch ${epoch}`;
}
