import { type StateObservable, state as stateObservable } from '@rx-state/core';
import {
  BehaviorSubject,
  defer,
  ignoreElements,
  type Observable,
  ReplaySubject,
  type SchedulerLike,
  Subject,
  type Subscription,
  takeUntil,
  tap,
  timer,
} from 'rxjs';
import type { Random } from '../platform/random.ts';
import type { ActorOptions, ActorRef, ActorStatus, Delivery, Step } from './actor.ts';
import { createMailbox, type Mailbox } from './mailbox.ts';
import { createSupervisor, type Supervisor } from './supervision.ts';

export type ActorContext = {
  readonly scheduler: SchedulerLike;
  readonly random: Random;
};

/**
 * Runs one actor. Invariants:
 * - one message at a time: what is sent meanwhile, also by the actor's own effects, waits in the mailbox;
 * - a state is published before the effects of its step are carried out;
 * - effects belong to one life: at a crash or stop they are unsubscribed, and nothing that they emit later arrives;
 * - a crash loses the message that caused it and the state, never the mailbox: the next life begins with what
 *   waits;
 * - while the actor is down, messages wait; those that find the mailbox full are dropped, since it cannot crash
 *   twice;
 * - an ordered stop takes no more messages from outside, handles those that wait, then `stopping.message`, then
 *   whatever effects send until `isDone`. A crash on the way ends it as `failed`; an actor that is down is not
 *   started again to be stopped.
 *
 * @throws what `logic.initial` throws at the first start; later that is a crash
 */
export function startActor<S, M, E>(options: ActorOptions<S, M, E>, context: ActorContext): ActorRef<S, M> {
  const actor = new Actor(options, context);
  return {
    send: (message) => actor.send(message),
    state$: actor.state$,
    status$: actor.status$.asObservable(),
    stop: (deadlineMs) => actor.stop(deadlineMs),
  };
}

class Actor<S, M, E> {
  readonly state$: StateObservable<S>;
  readonly status$ = new ReplaySubject<ActorStatus>(1);
  readonly #options: ActorOptions<S, M, E>;
  readonly #scheduler: SchedulerLike;
  readonly #mailbox: Mailbox<M>;
  readonly #supervisor: Supervisor;
  readonly #states$: BehaviorSubject<S>;
  #phase: 'running' | 'restarting' | 'ended' = 'running';
  #stop: 'no' | 'requested' | 'delivered' = 'no';
  /** True while a step is carried out; what arrives then is served by the loop that runs. */
  #busy = false;
  /** Fires when the current life ends. */
  #lifeEnd$ = new Subject<void>();
  #restart: Subscription | undefined;

  constructor(options: ActorOptions<S, M, E>, { scheduler, random }: ActorContext) {
    this.#options = options;
    this.#scheduler = scheduler;
    this.#mailbox = createMailbox(options.mailboxCapacity);
    this.#supervisor = createSupervisor(options.supervision, random);
    const firstStep = options.logic.initial();
    this.#states$ = new BehaviorSubject(firstStep[0]);
    this.state$ = stateObservable(this.#states$);
    // Keeps it hot, so that getValue answers without any other subscriber.
    this.state$.subscribe({ error: () => {} });
    this.status$.next({ kind: 'running' });
    this.#live(() => firstStep);
  }

  send(message: M): Delivery {
    return this.#phase === 'ended' || this.#stop !== 'no' ? 'stopped' : this.#enqueue(message);
  }

  stop(deadlineMs: number): Observable<never> {
    return defer(() => {
      if (this.#stop === 'no') this.#stop = 'requested';
      if (this.#phase === 'restarting') this.#end({ kind: 'stopped' });
      else this.#live();
      const deadline$ = timer(deadlineMs, this.#scheduler).pipe(tap(() => this.#end({ kind: 'stopped' })));
      return this.status$.pipe(ignoreElements(), takeUntil(deadline$));
    });
  }

  #enqueue(message: M): Delivery {
    if (!this.#mailbox.offer(message)) return 'dropped';
    this.#live();
    return 'accepted';
  }

  /** Takes `first`, then messages until none waits. */
  #live(first?: () => Step<S, E>): void {
    const { logic, stopping } = this.#options;
    if (this.#busy) return;
    this.#busy = true;
    if (first !== undefined && this.#phase === 'running') this.#take(first);
    while (this.#phase === 'running') {
      const next = this.#mailbox.take();
      if (next !== null) this.#take(() => logic.transition(this.#states$.value, next.message));
      else if (this.#stop !== 'requested') break;
      else {
        this.#stop = 'delivered';
        if (stopping === undefined) this.#end({ kind: 'stopped' });
        else this.#take(() => logic.transition(this.#states$.value, stopping.message));
      }
    }
    this.#busy = false;
  }

  #take(step: () => Step<S, E>): void {
    const ended$ = this.#lifeEnd$;
    try {
      const [state, todo] = step();
      if (!Object.is(state, this.#states$.value)) this.#states$.next(state);
      for (const effect of todo) {
        // An earlier effect, or an observer of the state, may have ended this life.
        if (ended$ !== this.#lifeEnd$) return;
        this.#carryOut(effect, ended$);
      }
      if (this.#stop === 'delivered' && (this.#options.stopping?.isDone(state) ?? true))
        this.#end({ kind: 'stopped' });
    } catch (error) {
      this.#crash(error);
    }
  }

  #carryOut(effect: E, ended$: Observable<void>): void {
    defer(() => this.#options.effects(effect))
      .pipe(takeUntil(ended$))
      .subscribe({
        next: (message) => this.#enqueue(message),
        error: (error) => this.#crash(error),
      });
  }

  #crash(error: unknown): void {
    if (this.#phase !== 'running') return;
    const verdict = this.#supervisor.crashed(this.#scheduler.now());
    if (verdict.kind === 'escalate' || this.#stop !== 'no') {
      this.#end({ kind: 'failed', error });
      return;
    }
    this.#phase = 'restarting';
    this.#endLife();
    const { attempt, delayMs } = verdict;
    this.#restart = this.#scheduler.schedule(() => {
      this.#phase = 'running';
      this.#live(() => {
        // Within the step: what an observer of the status sends must find the new state, not the old one.
        this.status$.next({ kind: 'running' });
        return this.#options.logic.initial();
      });
    }, delayMs);
    this.status$.next({ kind: 'restarting', error, attempt, delayMs });
  }

  #end(status: Extract<ActorStatus, { readonly kind: 'stopped' | 'failed' }>): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#restart?.unsubscribe();
    this.#endLife();
    this.#mailbox.clear();
    this.status$.next(status);
    this.status$.complete();
    if (status.kind === 'failed') this.#states$.error(status.error);
  }

  #endLife(): void {
    const ended$ = this.#lifeEnd$;
    this.#lifeEnd$ = new Subject();
    ended$.next();
  }
}
