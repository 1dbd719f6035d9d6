/** Leaves what a client sends unread for a while, so that it waits on the client's machine and costs HQ nothing. */
import { type SchedulerLike, Subscription, timer } from 'rxjs';

export type HoldBackOptions = {
  readonly setReading: (reading: boolean) => void;
  readonly scheduler: SchedulerLike;
  readonly onHeld: () => void;
};

export type HoldBack = {
  readonly holdBack: (ms: number) => void;
  /** The connection has ended. */
  readonly end: () => void;
};

/** Short against ping and ack timeouts: a client that mends its ways is not taken for dead. */
const MAX_HELD_MS = 250;

export function createHoldBack({ setReading, scheduler, onHeld }: HoldBackOptions): HoldBack {
  let held = Subscription.EMPTY;
  return {
    holdBack: (ms) => {
      if (!held.closed) return;
      setReading(false);
      onHeld();
      held = timer(Math.min(ms, MAX_HELD_MS), scheduler).subscribe(() => setReading(true));
    },
    end: () => {
      if (held.closed) return;
      held.unsubscribe();
      // A transport that is not read does not notice that its other end has closed.
      setReading(true);
    },
  };
}
