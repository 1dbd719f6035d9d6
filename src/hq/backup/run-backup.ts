/** Runs `backup-child`. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Observable } from 'rxjs';
import { z } from 'zod';
import { manifestSchema } from './manifest.ts';

const answerSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('made'), manifest: manifestSchema }),
  z.object({ kind: z.literal('failed'), code: z.string(), message: z.string() }),
]);
export type BackupAnswer = z.infer<typeof answerSchema>;

export type BackupRequest = {
  readonly directory: string;
  readonly target: string;
  /** Of Holdfast. */
  readonly version: string;
};

/** Emits one answer and completes; unsubscribing ends the process. Never errors. */
export function runBackup(request: BackupRequest): Observable<BackupAnswer> {
  return new Observable((subscriber) => {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const script = fileURLToPath(new URL(`./backup-child.${extension}`, import.meta.url));
    const child = spawn(process.execPath, [script, JSON.stringify(request)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const texts = { out: '', error: '' };
    child.stdout.on('data', (chunk: Buffer) => {
      texts.out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      texts.error = (texts.error + chunk.toString()).slice(-2000);
    });
    const finish = (answer: BackupAnswer) => {
      subscriber.next(answer);
      subscriber.complete();
    };
    const fail = (message: string) => finish({ kind: 'failed', code: 'io', message });
    child.on('error', (error) => fail(`the backup could not be begun: ${error.message}`));
    child.on('close', (code, signal) => {
      const answer = parse(texts.out);
      if (answer !== null) finish(answer);
      else
        fail(
          `the process that made it ended (${signal ?? code}): ${texts.error.trim().split('\n').at(-1) ?? ''}`,
        );
    });
    return () => {
      child.kill('SIGKILL');
    };
  });
}

function parse(text: string): BackupAnswer | null {
  try {
    return answerSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
