/**
 * The order of stopping: nothing new, then everything durable, then what is live at HQ, then the goodbye, then the
 * files.
 */
import {
  catchError,
  concat,
  defer,
  EMPTY,
  ignoreElements,
  type Observable,
  type SchedulerLike,
  timeout,
} from 'rxjs';

/** Together below the 30 s that a supervisor gives a program to stop. */
const FLUSH_MS = 10_000;
const LEAVE_MS = 10_000;
const CLOSE_MS = 5_000;
const HEALTH_MS = 2_000;

export type StopSteps = {
  /** Ends sampling; completes when everything sampled is durable. */
  readonly flush: Observable<unknown>;
  /** Sends what is live and says goodbye within so many ms. */
  readonly leave: (deadlineMs: number) => Observable<unknown>;
  readonly closeJournal: Observable<unknown>;
  readonly closeHealth: Observable<unknown>;
  /** A step that failed or took too long; the next ones go on, for the journal has all that was committed. */
  readonly onUnclean: (step: string, error: unknown) => void;
  readonly scheduler: SchedulerLike;
};

/** Goes through the steps when subscribed; completes at the latest after the sum of their deadlines; never errors. */
export function stopInOrder(steps: StopSteps): Observable<never> {
  const within = (step: string, ms: number, work: Observable<unknown>): Observable<never> =>
    defer(() => work).pipe(
      ignoreElements(),
      timeout({ each: ms, scheduler: steps.scheduler }),
      catchError((error: unknown) => {
        steps.onUnclean(step, error);
        return EMPTY;
      }),
    );
  return concat(
    within('flush', FLUSH_MS, steps.flush),
    within(
      'leave',
      LEAVE_MS,
      defer(() => steps.leave(LEAVE_MS - 500)),
    ),
    within('close the journal', CLOSE_MS, steps.closeJournal),
    within('close the health page', HEALTH_MS, steps.closeHealth),
  );
}
