/**
 * Chaos: HQ spoils its own link on purpose, so that everyone can see what happens then.
 *
 * `random` alternates: 15–45 s of peace, then one of `down` (8–20 s), `slow` (8–15 s), `lossy` (8–15 s), and so on.
 */
import { type StateObservable, state } from '@rx-state/core';
import {
  BehaviorSubject,
  concat,
  defer,
  distinctUntilChanged,
  ignoreElements,
  map,
  NEVER,
  type Observable,
  of,
  repeat,
  startWith,
  switchMap,
  timer,
} from 'rxjs';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { Chaos, ChaosMode } from '../protocol/api.ts';

/** `refuse`: answer `unavailable`; `lose`: answer nothing. */
export type ChaosVerdict = 'pass' | 'refuse' | 'lose';

export type ChaosControl = {
  readonly state$: StateObservable<Chaos>;
  readonly current: () => Chaos;
  /** False when chaos is not enabled at this HQ; nothing changes then. */
  readonly setMode: (mode: ChaosMode) => boolean;
  /** Emits once what becomes of a message that came now, after whatever delay the effect imposes. */
  readonly admit: () => Observable<ChaosVerdict>;
};

export type ChaosOptions = {
  readonly mode: ChaosMode;
  readonly enabled: boolean;
  readonly clock: Pick<Clock, 'now' | 'scheduler'>;
  readonly random: Random;
};

type Effect = Chaos['effect'];

/** Shortest and longest stay of each effect in mode `random`, ms. */
export const PHASES: Readonly<Record<Effect, readonly [shortest: number, longest: number]>> = {
  none: [15_000, 45_000],
  down: [8_000, 20_000],
  slow: [8_000, 15_000],
  lossy: [8_000, 15_000],
};
/** Delay of each message while `slow`, ms. */
export const SLOW_DELAY_MS: readonly [shortest: number, longest: number] = [300, 2_000];
/** Share of the messages that are lost while `lossy`. */
export const LOSS = 0.3;

const VERDICTS: { readonly [V in ChaosVerdict]: Observable<V> } = {
  pass: of('pass'),
  refuse: of('refuse'),
  lose: of('lose'),
};

const SPOILED = ['down', 'slow', 'lossy'] as const;

/** Chaos that lives until `stop`. */
export function createChaos(options: ChaosOptions): ChaosControl & { readonly stop: () => void } {
  const { clock, random, enabled } = options;
  const between = ([shortest, longest]: readonly [number, number]) =>
    shortest + random.next() * (longest - shortest);
  const mode$ = new BehaviorSubject<ChaosMode>(enabled ? options.mode : 'off');
  const chaos$ = new BehaviorSubject<Chaos>({
    mode: mode$.value,
    enabled,
    effect: 'none',
    since: clock.now(),
  });

  const stay = (effect: Effect): Observable<Effect> =>
    timer(between(PHASES[effect]), clock.scheduler).pipe(ignoreElements(), startWith(effect));
  const chaosPhase$ = concat(
    defer(() => stay('none')),
    defer(() => stay(SPOILED[Math.floor(random.next() * SPOILED.length)] ?? 'down')),
  ).pipe(repeat());
  const effectsOf = (mode: ChaosMode): Observable<Effect> =>
    mode === 'random' ? chaosPhase$ : concat(of<Effect>(mode === 'off' ? 'none' : mode), NEVER);

  const subscription = mode$
    .pipe(
      distinctUntilChanged(),
      switchMap((mode) =>
        effectsOf(mode).pipe(map((effect) => ({ mode, enabled, effect, since: clock.now() }))),
      ),
    )
    .subscribe((chaos) => chaos$.next(chaos));

  return {
    state$: state(chaos$, chaos$.value),
    current: () => chaos$.value,
    setMode: (mode) => {
      if (enabled) mode$.next(mode);
      return enabled;
    },
    admit: () => {
      switch (chaos$.value.effect) {
        case 'none':
          return VERDICTS.pass;
        case 'down':
          return VERDICTS.refuse;
        case 'slow':
          return timer(between(SLOW_DELAY_MS), clock.scheduler).pipe(map(() => 'pass' as const));
        case 'lossy':
          return random.next() < LOSS ? VERDICTS.lose : VERDICTS.pass;
      }
    },
    stop: () => {
      subscription.unsubscribe();
      mode$.complete();
      chaos$.complete();
    },
  };
}
