/** Child processes of the demo: started, started again when they die, stopped in order. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { SchedulerLike } from 'rxjs';
import { z } from 'zod';
import { CommandFailure, EXIT } from './exit.ts';

const command = fileURLToPath(new URL('../../bin/holdfast.js', import.meta.url));
const RESTART_DELAY_MS = 1000;
/** Agents and HQ end within 30 s of being asked; one that does not is stuck. */
const STOP_DEADLINE_MS = 35_000;

const listeningSchema = z.object({ event: z.literal('listening'), url: z.string() });

export type KeptProcess = {
  readonly name: string;
  /** Address from the process's `listening` line; rejects when it ends before. Only processes that listen have one. */
  readonly listening: Promise<string>;
  /** Resolves with an error when the process cannot be kept running: it refused its settings, or could not listen. */
  readonly failed: Promise<Error>;
  /** Asks the process to stop and resolves when it has ended. */
  readonly stop: () => Promise<void>;
};

export type KeepRunningOptions = {
  readonly name: string;
  readonly args: readonly string[];
  /** Whether it prints a `listening` line; such a process is not started again when it never came that far. */
  readonly listens: boolean;
  readonly scheduler: SchedulerLike;
  /** Tells the person what happens. */
  readonly say: (text: string) => void;
};

export function keepRunning({ name, args, listens, scheduler, say }: KeepRunningOptions): KeptProcess {
  let child: ChildProcess | null = null;
  let stopping = false;
  let ended = Promise.resolve();
  let awaited = listens;
  let startArgs = args;
  const listening = Promise.withResolvers<string>();
  const failed = Promise.withResolvers<Error>();
  listening.promise.catch(() => {});

  const launch = () => {
    // A process group of its own: Ctrl-C reaches the demo only, which then stops its children in order.
    const current = spawn(process.execPath, [...process.execArgv, command, ...startArgs], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      detached: true,
    });
    child = current;
    if (current.stdout !== null) {
      createInterface({ input: current.stdout }).on('line', (line) => {
        const parsed = listeningSchema.safeParse(parseJson(line));
        if (!parsed.success) return;
        awaited = false;
        listening.resolve(parsed.data.url);
        startArgs = withPort(startArgs, new URL(parsed.data.url).port);
      });
    }
    ended = new Promise((resolve) => {
      current.on('exit', (code, signal) => {
        resolve();
        if (stopping) return;
        const reason = signal ?? `exit code ${code}`;
        if (awaited || code === EXIT.usage || code === EXIT.configuration) {
          const error = new CommandFailure(code ?? EXIT.failure, `${name} ended (${reason})`);
          listening.reject(error);
          failed.resolve(error);
          return;
        }
        say(`${name} ended (${reason}); starting it again\n`);
        scheduler.schedule(() => {
          if (!stopping) launch();
        }, RESTART_DELAY_MS);
      });
    });
  };
  launch();

  return {
    name,
    listening: listening.promise,
    failed: failed.promise,
    stop: async () => {
      stopping = true;
      child?.kill('SIGTERM');
      const deadline = scheduler.schedule(() => void child?.kill('SIGKILL'), STOP_DEADLINE_MS);
      await ended;
      deadline.unsubscribe();
    },
  };
}

/** A restarted HQ must come back where its agents look for it. */
function withPort(args: readonly string[], port: string): readonly string[] {
  const at = args.indexOf('--port');
  return at < 0 ? args : args.with(at + 1, port);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
