/**
 * When the other side has been silent for too long. Any sign counts, also bytes of a message that is not here whole: on
 * a slow link a message may take longer than any fixed limit.
 *
 * Silence is the sum of looks, not time on a clock: a machine that slept, or a process that was held up, has not
 * listened meanwhile.
 */
import { defer, expand, filter, map, type Observable, of, type SchedulerLike, take, timer } from 'rxjs';

export type SilenceOptions = {
  /** How long it may last, ms, at least 1; asked again at each look. */
  readonly limitMs: () => number;
  /** Any number that is another one after a sign of life. */
  readonly signs: () => number;
  readonly scheduler: SchedulerLike;
};

/** Looks in the time of a limit: silence ends at most one eighth of the limit late, never early. */
const LOOKS = 8;

/** Emits the limit, ms, once it has been silent for so long, and completes. */
export function untilSilent({ limitMs, signs, scheduler }: SilenceOptions): Observable<number> {
  return defer(() =>
    of({ seen: signs(), quietMs: 0, limit: limitMs() }).pipe(
      expand(({ seen, quietMs, limit }) => {
        const lookMs = Math.max(1, limit / LOOKS);
        return timer(lookMs, scheduler).pipe(
          map(() => {
            const now = signs();
            return { seen: now, quietMs: now === seen ? quietMs + lookMs : 0, limit: limitMs() };
          }),
        );
      }),
      filter(({ quietMs, limit }) => quietMs >= limit),
      take(1),
      map(({ limit }) => limit),
    ),
  );
}
