/** What was started, so that it can be ended in reverse order within one deadline. */
import {
  catchError,
  defaultIfEmpty,
  defer,
  firstValueFrom,
  from,
  last,
  type Observable,
  of,
  timeout,
} from 'rxjs';
import type { Clock } from '../platform/clock.ts';

export type UndoStep = {
  readonly name: string;
  /** Ends the part; completes when it has ended. */
  readonly run: () => Observable<unknown> | Promise<unknown> | undefined;
};

export type UndoSteps = {
  readonly push: (name: string, run: UndoStep['run']) => void;
  /**
   * Runs all steps, last first, once; one that hangs or fails is left behind. Resolves at the latest after `timeoutMs`
   * and what the rest needs.
   */
  readonly runAll: (timeoutMs: number) => Promise<void>;
};

/** What a step is given at least when those before it used up the time, ms. */
const LEAST_MS = 500;

export function createUndoSteps(
  clock: Pick<Clock, 'precise' | 'scheduler'>,
  onLeft: (step: string, error: unknown) => void,
): UndoSteps {
  const steps: UndoStep[] = [];
  let running: Promise<void> | null = null;

  const runAll = async (timeoutMs: number) => {
    const end = clock.precise() + timeoutMs;
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      await settle(step, Math.max(LEAST_MS, end - clock.precise()));
    }
  };
  const settle = ({ name, run }: UndoStep, timeoutMs: number) =>
    firstValueFrom(
      defer(() => from(run() ?? of(null))).pipe(
        defaultIfEmpty(null),
        last(),
        timeout({ first: timeoutMs, scheduler: clock.scheduler }),
        catchError((error: unknown) => {
          onLeft(name, error);
          return of(null);
        }),
      ),
    );

  return {
    push: (name, run) => {
      steps.push({ name, run });
    },
    runAll: (timeoutMs) => {
      running ??= runAll(timeoutMs);
      return running;
    },
  };
}
