/** Ordered stop: the first signal stops, the second leaves at once; the journal makes that safe. */

export type Stoppable = { readonly stop: () => Promise<void> };

/**
 * Stops `running` on SIGTERM, SIGINT, or when the process that started this one with a channel goes away.
 * Resolves with the exit code once everything has ended.
 */
export function stopOnSignal(running: Stoppable, failed: Promise<unknown>): Promise<number> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (exitCode: number) => {
      if (stopping) process.exit(exitCode === 0 ? 130 : exitCode);
      stopping = true;
      running.stop().then(
        () => resolve(exitCode),
        (error: unknown) => {
          process.stderr.write(`holdfast: stopped with an error: ${messageOf(error)}\n`);
          resolve(1);
        },
      );
    };
    process.on('SIGTERM', () => stop(0));
    process.on('SIGINT', () => stop(0));
    if (process.connected) process.once('disconnect', () => stop(0));
    failed.then((error) => {
      process.stderr.write(`holdfast: ${messageOf(error)}\n`);
      if (!stopping) stop(1);
    });
  });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
