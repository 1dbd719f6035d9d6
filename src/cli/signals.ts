/** Ordered stop: the first signal stops, the second leaves at once; the journal makes that safe. */
import { Subscription } from 'rxjs';
import { createSystemClock } from '../platform/clock.ts';
import { type Ending, endingText } from '../platform/ending.ts';
import { errorText } from '../platform/error-text.ts';
import { leaveNow } from '../platform/leave.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { isRunByNpm, orphaned } from './orphaned.ts';

export type Stoppable = {
  readonly stop: () => Promise<void>;
  /** Resolves when it can no longer do its work. */
  readonly ending: Promise<Ending>;
  /** What ending now loses, or what the stop has lost, in a sentence; null when nothing. */
  readonly loss?: () => string | null;
};

/**
 * Starts something and stops it on SIGTERM, SIGINT, or when npm, or the process that started this one with a channel,
 * goes away.
 * Resolves with the exit code once everything has ended; rejects when `start` does. While it is still starting there is
 * nothing to put in order: the process leaves at once (leave.ts). What ends with `restart` is started again. What an
 * end loses is told on standard error, whatever the log level.
 */
export async function runUntilStopped(start: (isAgain: boolean) => Promise<Stoppable>): Promise<number> {
  const asked = Promise.withResolvers<number>();
  let state: 'starting' | 'running' | 'stopping' = 'starting';
  let current: Stoppable | null = null;
  const tellLoss = () => {
    const loss = current?.loss?.() ?? null;
    if (loss !== null) process.stderr.write(`holdfast: ${loss}\n`);
  };
  const stop = (exitCode: number) => {
    if (state === 'starting') {
      // It may just have come to run by then.
      leaveNow(exitCode, () => {
        if (state === 'running') tellLoss();
      });
    } else if (state === 'stopping') {
      leaveNow(exitCode === EXIT.ok ? 130 : exitCode, tellLoss);
    } else {
      state = 'stopping';
      asked.resolve(exitCode);
    }
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(EXIT.ok));
  // False, not undefined: there was a channel, and it is gone already.
  if (process.connected === false) stop(EXIT.ok);
  process.once('disconnect', () => stop(EXIT.ok));
  const watch = isRunByNpm(process.env)
    ? orphaned(() => process.ppid, createSystemClock().scheduler).subscribe(() => {
        // Ctrl-C ends npm too: that is no second signal.
        if (state !== 'stopping') stop(EXIT.ok);
      })
    : Subscription.EMPTY;

  try {
    for (let isAgain = false; ; isAgain = true) {
      const running = await start(isAgain);
      current = running;
      state = 'running';
      const restart = Promise.withResolvers<null>();
      running.ending.then((ending) => {
        process.stderr.write(`holdfast: ${endingText(ending)}\n`);
        if (state !== 'running') return;
        if (ending.kind === 'restart') restart.resolve(null);
        else stop(ending.error instanceof CommandFailure ? ending.error.exitCode : EXIT.failure);
      });
      const exitCode = await Promise.race([asked.promise, restart.promise]);
      try {
        await running.stop();
      } catch (error) {
        process.stderr.write(`holdfast: stopped with an error: ${errorText(error)}\n`);
        return EXIT.failure;
      }
      tellLoss();
      if (exitCode !== null) return exitCode;
      state = 'starting';
    }
  } finally {
    // What is open would keep the process.
    watch.unsubscribe();
  }
}
