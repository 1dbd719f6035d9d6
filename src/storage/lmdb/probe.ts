/** Runs `probe-child` on a file that may end the process that reads it. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Observable } from 'rxjs';
import { z } from 'zod';
import type { ProbeRequest } from './probe-request.ts';

const walkReportSchema = z.object({
  kind: z.literal('walked'),
  records: z.number(),
  /** Records whose checksum does not match. */
  damagedRecords: z.number(),
  brokenPages: z.number(),
  /** False when the time budget ended first. */
  complete: z.boolean(),
  detail: z.string(),
});
const salvageReportSchema = z.object({
  kind: z.literal('salvaged'),
  records: z.number(),
  damagedRecords: z.number(),
  brokenPages: z.number(),
  /** Whether the copy has all that was ever committed: both meta pages, each page and each record could be read. */
  complete: z.boolean(),
});
const copyReportSchema = z.object({
  kind: z.literal('copied'),
  bytes: z.number(),
  /** What could not be done; null: it is complete and flushed. */
  problem: z.string().nullable(),
});
export type CopyReport = z.infer<typeof copyReportSchema>;
export type WalkReport = z.infer<typeof walkReportSchema>;
export type SalvageReport = z.infer<typeof salvageReportSchema>;

/** The child ended without a report (how it ends after one does not matter): by a signal, an error or the deadline. */
export type ProbeFailure = { readonly kind: 'failed'; readonly detail: string };

/** What can be said of the file; `budgetMs` bounds the time taken. */
export function walkFile(request: {
  readonly path: string;
  readonly budgetMs: number;
  readonly live: boolean;
}): Observable<WalkReport | ProbeFailure> {
  return runChild({ kind: 'walk', ...request }, walkReportSchema, request.budgetMs * 2);
}

export function salvageFile(request: {
  readonly path: string;
  /** The fresh file; must not exist. */
  readonly target: string;
  readonly reason: string;
  readonly deadlineMs: number;
}): Observable<SalvageReport | ProbeFailure> {
  const { path, target, reason, deadlineMs } = request;
  return runChild({ kind: 'salvage', path, target, reason }, salvageReportSchema, deadlineMs);
}

/**
 * A copy of the file as one commit has left it, free pages included; its owner goes on meanwhile, and the file grows
 * by what it changes. `target` must not exist; what a copy that failed has left there stays.
 */
export function copyFile(request: {
  readonly path: string;
  readonly target: string;
  readonly deadlineMs: number;
}): Observable<CopyReport | ProbeFailure> {
  const { path, target, deadlineMs } = request;
  return runChild({ kind: 'copy', path, target }, copyReportSchema, deadlineMs);
}

/** Emits one result and completes; unsubscribing ends the child. Never errors. */
function runChild<T>(
  request: ProbeRequest,
  schema: z.ZodType<T>,
  deadlineMs: number,
): Observable<T | ProbeFailure> {
  return new Observable((subscriber) => {
    // Runs as TypeScript from the sources and as its own entry alongside the bundle.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const script = fileURLToPath(new URL(`./probe-child.${extension}`, import.meta.url));
    const child = spawn(process.execPath, [script, JSON.stringify(request)], {
      // The child ends when its standard input does: with this process, however that ends.
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: deadlineMs,
      killSignal: 'SIGKILL',
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const texts = { out: '', error: '' };
    child.stdout.on('data', (chunk: Buffer) => {
      texts.out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      texts.error = (texts.error + chunk.toString()).slice(-2000);
    });
    const finish = (result: T | ProbeFailure) => {
      subscriber.next(result);
      subscriber.complete();
    };
    child.on('error', (error) =>
      finish({ kind: 'failed', detail: `cannot start the check: ${error.message}` }),
    );
    child.on('close', (_, signal) => {
      const report = parseReport(schema, texts.out);
      if (report !== null) finish(report);
      else if (signal !== null)
        finish({ kind: 'failed', detail: `reading it ends the process by ${signal}` });
      else
        finish({
          kind: 'failed',
          detail: `the check failed: ${texts.error.trim().split('\n').at(-1) ?? ''}`,
        });
    });
    return () => {
      child.kill('SIGKILL');
    };
  });
}

function parseReport<T>(schema: z.ZodType<T>, text: string): T | null {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
