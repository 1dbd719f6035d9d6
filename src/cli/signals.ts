/** Ordered stop: the first signal stops, the second leaves at once; the journal makes that safe. */
import { leaveNow } from '../platform/leave.ts';
import { CommandFailure, EXIT } from './exit.ts';

export type Stoppable = {
  readonly stop: () => Promise<void>;
  /** Resolves with the reason when it can no longer do its work. */
  readonly failed: Promise<unknown>;
  /** What ending now loses, or what the stop has lost, in a sentence; null when nothing. */
  readonly loss?: () => string | null;
};

/**
 * Starts something and stops it on SIGTERM, SIGINT, or when the process that started this one with a channel goes
 * away. Resolves with the exit code once everything has ended; rejects when `start` does. While it is still starting there
 * is nothing to put in order: the process leaves at once (leave.ts). What fails with an error that asks for it is started again.
 * What an end loses is told on standard error, whatever the log level.
 */
export async function runUntilStopped(start: () => Promise<Stoppable>): Promise<number> {
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

  for (;;) {
    const running = await start();
    current = running;
    state = 'running';
    const restart = Promise.withResolvers<null>();
    running.failed.then((error) => {
      process.stderr.write(`holdfast: ${messageOf(error)}\n`);
      if (state !== 'running') return;
      if (asksForRestart(error)) restart.resolve(null);
      else stop(error instanceof CommandFailure ? error.exitCode : EXIT.failure);
    });
    const exitCode = await Promise.race([asked.promise, restart.promise]);
    try {
      await running.stop();
    } catch (error) {
      process.stderr.write(`holdfast: stopped with an error: ${messageOf(error)}\n`);
      return EXIT.failure;
    }
    tellLoss();
    if (exitCode !== null) return exitCode;
    state = 'starting';
  }
}

/** What failed has put everything in order for being started again in this very process. */
function asksForRestart(error: unknown): boolean {
  return error instanceof Error && 'restart' in error && error.restart === true;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
