import { concat, defer, type Observable, type SchedulerLike, Subject } from 'rxjs';
import type { Random } from '../platform/random.ts';
import type { ActorOptions, ActorRef, ActorStatus } from './actor.ts';
import { SpawnRefused } from './errors.ts';
import { startActor } from './start-actor.ts';

export type ActorSystemOptions = {
  readonly scheduler: SchedulerLike;
  readonly random: Random;
};

export type ActorSystem = {
  /**
   * Starts an actor; its first state and effects are there when this returns.
   * @throws SpawnRefused when a living actor has the id or the system is stopping; and what `logic.initial` throws
   */
  readonly spawn: <S, M, E>(options: ActorOptions<S, M, E>) => ActorRef<S, M>;
  /** Every status of every actor from now on: where crashes are logged and failures escalate to. Never ends. */
  readonly statuses$: Observable<{ readonly id: string; readonly status: ActorStatus }>;
  /**
   * Stops all actors one after another, the last spawned first, so that an actor outlives those that were built on
   * it. `deadlineMs` bounds the whole; once it has passed, the rest is ended as it stands. Completes when none is
   * left.
   */
  readonly stop: (deadlineMs: number) => Observable<never>;
};

/**
 * The actors of one program. There is no registry beyond it: who should talk to an actor is given its reference.
 */
export function createActorSystem({ scheduler, random }: ActorSystemOptions): ActorSystem {
  const living = new Map<string, ((deadlineMs: number) => Observable<never>) | null>();
  const statuses$ = new Subject<{ readonly id: string; readonly status: ActorStatus }>();
  let stopping = false;

  return {
    spawn: (options) => {
      const { id } = options;
      if (stopping) throw new SpawnRefused(`the system is stopping and starts no actor ${id}`);
      if (living.has(id)) throw new SpawnRefused(`an actor ${id} is running already`);
      // Reserved first: effects of the start may spawn others, or end this one.
      living.set(id, null);
      const onStatus = (status: ActorStatus) => {
        if (status.kind === 'stopped' || status.kind === 'failed') living.delete(id);
        statuses$.next({ id, status });
      };
      try {
        const ref = startActor(options, { scheduler, random, onStatus });
        if (living.has(id)) living.set(id, ref.stop);
        return ref;
      } catch (error) {
        living.delete(id);
        throw error;
      }
    },
    statuses$: statuses$.asObservable(),
    stop: (deadlineMs) =>
      defer(() => {
        stopping = true;
        const until = scheduler.now() + deadlineMs;
        const stops = [...living.values()].filter((stop) => stop !== null).reverse();
        return concat(...stops.map((stop) => defer(() => stop(Math.max(0, until - scheduler.now())))));
      }),
  };
}
