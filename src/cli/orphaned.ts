import { interval, map, type Observable, type SchedulerLike, skipWhile, take } from 'rxjs';

const LOOK_MS = 1_000;

/**
 * Emits once the process that started this one is gone, then completes. npm runs a script by way of a shell, and a
 * signal that ends npm ends the shell alone: what runs in it goes on, and nobody knows of it.
 */
export function orphaned(parent: () => number, scheduler: SchedulerLike): Observable<number> {
  const first = parent();
  return interval(LOOK_MS, scheduler).pipe(
    map(parent),
    skipWhile((pid) => pid === first),
    take(1),
  );
}

/** Whether npm has started this process: `npm start`, `npm exec`, `npx`. */
export function isRunByNpm(environment: Readonly<Record<string, string | undefined>>): boolean {
  return (environment.npm_command ?? '') !== '';
}
