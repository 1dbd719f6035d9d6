/** Runs a program for what it prints; one at a time, within a time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Observable, type SchedulerLike } from 'rxjs';

export type Printed = { readonly code: number; readonly output: string };

export type Program = {
  /**
   * Emits what it printed and completes. Errors when it cannot be started, is ended by a signal, prints too much, or
   * takes longer than `timeoutMs`: then it is killed. Unsubscribing kills it too. Errors at once while one that was
   * killed has not ended.
   */
  readonly run: (args: readonly string[]) => Observable<Printed>;
};

/** Most that is read of what it prints. */
const MAX_OUTPUT_BYTES = 1024 * 1024;

const STARTING: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such program: install the driver of the GPUs, or say where it is with `path=`',
  EACCES: 'this user may not run it',
};

export function createProgram(path: string, timeoutMs: number, scheduler: SchedulerLike): Program {
  /** Of the run before that has not ended. */
  let lingering: ChildProcess | null = null;
  return {
    run: (args) =>
      new Observable((subscriber) => {
        const fail = (reason: string) => subscriber.error(new Error(`${path}: ${reason}`));
        if (lingering !== null) {
          fail(`the one before (process ${lingering.pid}) does not end, although it was killed`);
          return;
        }
        const child = spawn(path, args, {
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { ...process.env, LC_ALL: 'C' },
          windowsHide: true,
        });
        lingering = child;
        const chunks: Buffer[] = [];
        let bytes = 0;
        const take = (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MAX_OUTPUT_BYTES) fail(`it prints more than ${MAX_OUTPUT_BYTES} bytes`);
          else chunks.push(chunk);
        };
        child.stdout.on('data', take);
        child.stderr.on('data', take);
        child.on('error', (error: NodeJS.ErrnoException) => {
          if (child.pid === undefined) lingering = null;
          fail(STARTING[error.code ?? ''] ?? error.message);
        });
        child.on('exit', () => {
          lingering = null;
        });
        child.on('close', (code, signal) => {
          if (code === null) fail(`it was ended by ${signal}`);
          subscriber.next({ code: code ?? 0, output: Buffer.concat(chunks).toString('utf8') });
          subscriber.complete();
        });
        subscriber.add(scheduler.schedule(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs));
        subscriber.add(() => {
          child.kill('SIGKILL');
          // What it has started may hold them open.
          child.stdout.destroy();
          child.stderr.destroy();
        });
      }),
  };
}
