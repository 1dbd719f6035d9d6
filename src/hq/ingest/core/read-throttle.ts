/** Leaves what a client sends unread for a while, so that it waits on the client's machine and costs HQ nothing. */
import { type SchedulerLike, Subscription, timer } from 'rxjs';

export type ReadThrottleOptions = {
  readonly setReading: (reading: boolean) => void;
  readonly scheduler: SchedulerLike;
  readonly onHeld: () => void;
};

export type ReadThrottle = {
  readonly throttle: (ms: number) => void;
  /** The connection has ended. */
  readonly end: () => void;
};

/** Short against ping and ack timeouts: a client that mends its ways is not taken for dead. */
const MAX_HELD_MS = 250;

export function createReadThrottle({ setReading, scheduler, onHeld }: ReadThrottleOptions): ReadThrottle {
  let held = Subscription.EMPTY;
  return {
    throttle: (ms) => {
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
