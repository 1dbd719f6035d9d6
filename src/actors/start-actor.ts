import { state as stateObservable } from '@rx-state/core';
import {
  BehaviorSubject,
  defer,
  filter,
  ignoreElements,
  map,
  merge,
  Observable,
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
import { AskRefused, AskTimeout, MailboxOverflow } from './errors.ts';
import { createMailbox } from './mailbox.ts';
import { createSupervisor } from './supervision.ts';

export type ActorContext = {
  readonly scheduler: SchedulerLike;
  readonly random: Random;
  /** Told of every status; `stopped` and `failed` are the last. */
  readonly onStatus: (status: ActorStatus) => void;
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
  const { id, logic, effects, stopping } = options;
  const { scheduler, random, onStatus } = context;
  const mailbox = createMailbox<M>(options.mailbox);
  const supervisor = createSupervisor(options.supervision, random);
  const firstStep = logic.initial();
  const states$ = new BehaviorSubject<S>(firstStep[0]);
  const status$ = new ReplaySubject<ActorStatus>(1);
  let phase: 'running' | 'restarting' | 'ended' = 'running';
  let stop: 'no' | 'requested' | 'delivered' = 'no';
  /** True while a step is carried out; what arrives then is served by the loop that runs. */
  let busy = false;
  /** Fires when the current life ends. */
  let lifeEnd$ = new Subject<void>();
  let restart: Subscription | undefined;

  const announce = (status: ActorStatus) => {
    status$.next(status);
    onStatus(status);
  };

  const endLife = () => {
    const ended$ = lifeEnd$;
    lifeEnd$ = new Subject();
    ended$.next();
  };

  const end = (status: ActorStatus) => {
    if (phase === 'ended') return;
    phase = 'ended';
    restart?.unsubscribe();
    endLife();
    mailbox.clear();
    announce(status);
    status$.complete();
    if (status.kind === 'failed') states$.error(status.error);
  };

  const crash = (error: unknown) => {
    if (phase !== 'running') return;
    const verdict = supervisor.crashed(scheduler.now());
    if (verdict.kind === 'escalate' || stop !== 'no') {
      end({ kind: 'failed', error });
      return;
    }
    phase = 'restarting';
    endLife();
    const { attempt, delayMs } = verdict;
    restart = scheduler.schedule(() => {
      phase = 'running';
      live(() => {
        // Within the step: what an observer of the status sends must find the new state, not the old one.
        announce({ kind: 'running' });
        return logic.initial();
      });
    }, delayMs);
    announce({ kind: 'restarting', error, attempt, delayMs });
  };

  const carryOut = (effect: E, ended$: Observable<void>) => {
    defer(() => effects(effect))
      .pipe(takeUntil(ended$))
      .subscribe({ next: enqueue, error: crash });
  };

  const take = (step: () => Step<S, E>) => {
    const ended$ = lifeEnd$;
    try {
      const [state, todo] = step();
      if (!Object.is(state, states$.value)) states$.next(state);
      for (const effect of todo) {
        // An earlier effect, or an observer of the state, may have ended this life.
        if (ended$ !== lifeEnd$) return;
        carryOut(effect, ended$);
      }
      if (stop === 'delivered' && (stopping?.isDone(state) ?? true)) end({ kind: 'stopped' });
    } catch (error) {
      crash(error);
    }
  };

  /** Takes `first`, then messages until none waits. */
  const live = (first?: () => Step<S, E>) => {
    if (busy) return;
    busy = true;
    if (first !== undefined && phase === 'running') take(first);
    while (phase === 'running') {
      const next = mailbox.take();
      if (next !== null) take(() => logic.transition(states$.value, next.message));
      else if (stop !== 'requested') break;
      else {
        stop = 'delivered';
        if (stopping === undefined) end({ kind: 'stopped' });
        else take(() => logic.transition(states$.value, stopping.message));
      }
    }
    busy = false;
  };

  const enqueue = (message: M): Delivery => {
    const offered = mailbox.offer(message);
    if (offered === 'overflow') crash(new MailboxOverflow(id, options.mailbox.capacity));
    if (offered !== 'accepted') return 'dropped';
    live();
    return 'accepted';
  };

  const send = (message: M): Delivery => (phase === 'ended' || stop !== 'no' ? 'stopped' : enqueue(message));

  const ended$ = status$.pipe(filter(({ kind }) => kind === 'stopped' || kind === 'failed'));
  const state$ = stateObservable(states$);
  // Keeps it hot, so that getValue answers without any other subscriber.
  state$.subscribe({ error: () => {} });

  announce({ kind: 'running' });
  live(() => firstStep);

  return {
    id,
    send,
    state$,
    status$: status$.asObservable(),
    mailbox: mailbox.load,
    ask: <R>(build: (reply: (answer: R) => void) => M, deadlineMs: number) =>
      new Observable<R>((subscriber) => {
        const delivery = send(
          build((answer) => {
            subscriber.next(answer);
            subscriber.complete();
          }),
        );
        if (delivery !== 'accepted') subscriber.error(new AskRefused(id, delivery));
      }).pipe(
        takeUntil(
          merge(
            ended$.pipe(map(() => new AskRefused(id, 'stopped'))),
            timer(deadlineMs, scheduler).pipe(map(() => new AskTimeout(id, deadlineMs))),
          ).pipe(
            map((error) => {
              throw error;
            }),
          ),
        ),
      ),
    stop: (deadlineMs) =>
      defer(() => {
        if (stop === 'no') stop = 'requested';
        if (phase === 'restarting') end({ kind: 'stopped' });
        else live();
        return status$.pipe(
          ignoreElements(),
          takeUntil(timer(deadlineMs, scheduler).pipe(tap(() => end({ kind: 'stopped' })))),
        );
      }),
  };
}
