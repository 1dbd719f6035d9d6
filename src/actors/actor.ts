/** What an actor is: plain logic as a pure transition. The kernel that runs it is in `system.ts`. */
import type { StateObservable } from '@rx-state/core';
import type { Observable } from 'rxjs';

/** Next state and the effects to carry out, as data. */
export type Step<S, E> = readonly [state: S, effects: readonly E[]];

export type ActorLogic<S, M, E> = {
  /** First state; called at each start and restart. */
  readonly initial: () => Step<S, E>;
  /** Pure: no clock, no chance, no I/O. A throw is a crash and goes to the supervisor. */
  readonly transition: (state: S, message: M) => Step<S, E>;
};

/**
 * Carries out one effect; the messages that it emits go to the actor's own mailbox. An error of it crashes the
 * actor. Running effects are unsubscribed when the actor stops or restarts.
 */
export type EffectRunner<M, E> = (effect: E) => Observable<M>;

export type MailboxOptions = {
  /** Messages that may wait. Minimum 1. */
  readonly capacity: number;
  /** What happens to a message that finds the mailbox full. `crash`: a bug, goes to the supervisor. */
  readonly overflow: 'drop-newest' | 'drop-oldest' | 'crash';
};

export type SupervisionOptions = {
  /** Restarts allowed within `windowMs`; one more escalates: the actor ends in error. */
  readonly maxRestarts: number;
  readonly windowMs: number;
  /** Delays before restarts: full jitter between 0 and min(maxDelayMs, initialDelayMs × 2^n). */
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
};

export type ActorOptions<S, M, E> = {
  readonly id: string;
  readonly logic: ActorLogic<S, M, E>;
  readonly effects: EffectRunner<M, E>;
  readonly mailbox: MailboxOptions;
  readonly supervision: SupervisionOptions;
  /** Sent as the last message on an ordered stop; the actor then ends when `isDone` holds or at the deadline. */
  readonly stopping?: { readonly message: M; readonly isDone: (state: S) => boolean };
};

export type ActorStatus =
  | { readonly kind: 'running' }
  | {
      readonly kind: 'restarting';
      readonly error: unknown;
      readonly attempt: number;
      readonly delayMs: number;
    }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'stopped' };

export type Delivery = 'accepted' | 'dropped' | 'stopped';

export type MailboxLoad = {
  /** Messages that wait now. */
  readonly waiting: number;
  /** Messages lost to overflow since the actor was spawned. */
  readonly dropped: number;
};

export type ActorRef<S, M> = {
  readonly id: string;
  readonly send: (message: M) => Delivery;
  /**
   * Current state at once, then every change; `getValue()` answers as long as the actor has not failed, also after
   * it stopped. Never completes (state observables do not; `status$` tells of the end); errors when the actor fails
   * for good.
   */
  readonly state$: StateObservable<S>;
  /** Current status at once, then every change; completes after `stopped` or `failed`. */
  readonly status$: Observable<ActorStatus>;
  /**
   * Sends what `build` makes around a reply function, at each subscription; emits the first reply and completes.
   * Errors with `AskTimeout` after `deadlineMs`, and at once with `AskRefused` when the message is not accepted or
   * the actor ends.
   */
  readonly ask: <R>(build: (reply: (answer: R) => void) => M, deadlineMs: number) => Observable<R>;
  readonly mailbox: () => MailboxLoad;
  /**
   * Ordered stop; completes when ended, at the latest after `deadlineMs`. Unsubscribing gives up the deadline, not
   * the stop.
   */
  readonly stop: (deadlineMs: number) => Observable<never>;
};
