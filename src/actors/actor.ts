/** What an actor is: plain logic as a pure transition. The kernel that runs it is in `start-actor.ts`. */
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

export type SupervisionOptions = {
  /** Restarts allowed within `windowMs`; one more escalates: the actor ends in error. */
  readonly maxRestarts: number;
  readonly windowMs: number;
  /** Delays before restarts: full jitter between 0 and min(maxDelayMs, initialDelayMs × 2^n). */
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
};

export type ActorOptions<S, M, E> = {
  readonly logic: ActorLogic<S, M, E>;
  readonly effects: EffectRunner<M, E>;
  /** Messages that may wait; one more is dropped. Minimum 1. */
  readonly mailboxCapacity: number;
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

export type ActorRef<S, M> = {
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
   * Ordered stop; completes when ended, at the latest after `deadlineMs`. Unsubscribing gives up the deadline, not
   * the stop.
   */
  readonly stop: (deadlineMs: number) => Observable<never>;
};
