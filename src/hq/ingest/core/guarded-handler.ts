/**
 * The one wrapper around every handler of a client's message. Whatever a client sends, nothing is thrown into HQ:
 * arguments are parsed, the ack callback is looked at before it is called, errors become `internal`, and an answer is
 * given once.
 */
import type { Observable, Subscription } from 'rxjs';
import type { z } from 'zod';
import { problemsOf } from '../../../platform/plain-error.ts';
import { isRefused, type Refused, refuse } from './refusal.ts';

export type GuardOptions<A extends readonly unknown[], R extends object> = {
  readonly event: string;
  /** The arguments before the ack callback, as a tuple. */
  readonly args: z.ZodType<A>;
  /** First emission is the answer. Completes without one: nothing is answered. */
  readonly handle: (...args: A) => Observable<R | Refused>;
  /** Arguments that do not parse may have a reason that is no violation. Null: they have none. */
  readonly excuse?: (args: readonly unknown[]) => Refused | null;
  /** Refuses before the arguments are looked at, or lets pass with null. */
  readonly admit: () => Refused | null;
  readonly onViolation: (detail: string) => void;
  /** `args`: as they came, before anything was known of them. */
  readonly onRefused: (event: string, refused: Refused, args: readonly unknown[]) => void;
  readonly onFailure: (event: string, error: unknown) => void;
  /** Told of each answer that `handle` gives, before it goes out. */
  readonly onHandled: () => void;
  /** Told when handling begins; what it returns is called when it ends. */
  readonly onBegin: () => () => void;
  /** Takes the running work, to end it with the connection. */
  readonly track: (work: Subscription) => void;
};

/** A listener for Socket.IO; never throws. */
export function guarded<A extends readonly unknown[], R extends object>(
  options: GuardOptions<A, R>,
): (...received: unknown[]) => void {
  const { event } = options;
  return (...received) => {
    const ack = received.at(-1);
    if (typeof ack !== 'function') {
      options.onViolation(`${event} without an ack callback`);
      return;
    }
    let answered = false;
    const answer = (reply: R | Refused) => {
      if (answered) return;
      answered = true;
      if (isRefused(reply)) options.onRefused(event, reply, received);
      try {
        ack(reply);
      } catch (error) {
        options.onFailure(event, error);
      }
    };
    const refused = options.admit();
    if (refused !== null) {
      answer(refused);
      return;
    }
    const parsed = options.args.safeParse(received.slice(0, -1));
    if (!parsed.success) {
      const excuse = options.excuse?.(received) ?? null;
      if (excuse !== null) {
        answer(excuse);
        return;
      }
      const problem = problemsOf(parsed.error, 500);
      options.onViolation(`${event}: ${problem}`);
      answer(refuse('bad_request', `${event}: ${problem}`));
      return;
    }
    handled(options, parsed.data, answer);
  };
}

/** Written out, and no chain of operators: it runs for each of thousands of frames a second. */
function handled<A extends readonly unknown[], R extends object>(
  { event, handle, onBegin, onHandled, onFailure, track }: GuardOptions<A, R>,
  args: A,
  answer: (reply: R | Refused) => void,
): void {
  const end = onBegin();
  let work: Subscription | null = null;
  let isAnswered = false;
  const fail = (error: unknown) => {
    onFailure(event, error);
    answer(refuse('internal', `${event}: HQ failed to handle this; try again`, { retryAfterMs: 1_000 }));
  };
  try {
    work = handle(...args).subscribe({
      next: (reply) => {
        if (isAnswered) return;
        isAnswered = true;
        onHandled();
        answer(reply);
        work?.unsubscribe();
      },
      error: fail,
    });
  } catch (error) {
    fail(error);
    end();
    return;
  }
  work.add(end);
  if (isAnswered) work.unsubscribe();
  else track(work);
}
