/** The backups in the folder that `backup.dir` names: made one at a time, on request. */
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Observable, Subscription } from 'rxjs';
import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import { BackupError } from './backup-error.ts';
import { UNFINISHED } from './files.ts';
import { manifestSchema, readManifest } from './manifest.ts';
import type { BackupAnswer, BackupRequest } from './run-backup.ts';

/** Names that are one folder on every file system. */
export const BACKUP_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export const backupSchema = z
  .object({
    name: z.string(),
    state: z.enum(['running', 'made', 'failed']),
    detail: z.string().nullable().describe('why it failed'),
    manifest: manifestSchema.nullable().describe('null while it runs, and of one that failed'),
  })
  .meta({ id: 'Backup' });
export type Backup = z.infer<typeof backupSchema>;

export type BackupsOptions = {
  /** Where they are made; empty: nowhere. */
  readonly dir: string;
  /** HQ's data directory. */
  readonly dataDir: string;
  readonly clock: Pick<Clock, 'precise'>;
  /** Of Holdfast. */
  readonly version: string;
  readonly run: (request: BackupRequest) => Observable<BackupAnswer>;
  /** One is over. */
  readonly onEnd: (end: {
    readonly name: string;
    readonly tookMs: number;
    readonly error: string | null;
  }) => void;
};

export type BackupRefusal = 'disabled' | 'running' | 'exists';

export type Backups = {
  /** By name; null: there is no folder for them. */
  readonly list: () => readonly Backup[] | null;
  /** Begins one, unless it is refused. */
  readonly start: (name: string) => Backup | BackupRefusal;
  /** Ends one that runs; nothing of it stays. */
  readonly stop: () => void;
};

export function createBackups({ dir, dataDir, clock, version, run, onEnd }: BackupsOptions): Backups {
  const folder = resolve(dir);
  let running: { readonly name: string; readonly work: Subscription } | null = null;
  /** The latest that failed; there is nothing of it in the folder. */
  let failed: Backup | null = null;
  const made = (): readonly Backup[] =>
    existsSync(folder) ? readdirSync(folder).flatMap((name) => backupIn(folder, name)) : [];
  const end = (name: string, startedAt: number, answer: BackupAnswer) => {
    running = null;
    const error = answer.kind === 'failed' ? answer.message : null;
    if (error !== null) failed = { name, state: 'failed', detail: error, manifest: null };
    onEnd({ name, tookMs: clock.precise() - startedAt, error });
  };
  return {
    list: () => {
      if (dir === '') return null;
      const now: readonly Backup[] = [
        ...made(),
        ...(failed === null ? [] : [failed]),
        ...(running === null ? [] : [runningBackup(running.name)]),
      ];
      return [...new Map(now.map((one) => [one.name, one])).values()];
    },
    start: (name) => {
      if (dir === '') return 'disabled';
      if (running !== null) return 'running';
      if (existsSync(join(folder, name))) return 'exists';
      if (failed?.name === name) failed = null;
      const startedAt = clock.precise();
      const answer$ = run({ directory: dataDir, target: join(folder, name), version });
      const begun = { name, work: answer$.subscribe((answer) => end(name, startedAt, answer)) };
      if (!begun.work.closed) running = begun;
      return runningBackup(name);
    },
    stop: () => {
      running?.work.unsubscribe();
      running = null;
    },
  };
}

const runningBackup = (name: string): Backup => ({ name, state: 'running', detail: null, manifest: null });

/** What else lies there is left out. */
function backupIn(folder: string, name: string): Backup[] {
  if (!BACKUP_NAME.test(name) || name.endsWith(UNFINISHED)) return [];
  try {
    return [{ name, state: 'made', detail: null, manifest: readManifest(join(folder, name)) }];
  } catch (error) {
    if (!(error instanceof BackupError) || error.code === 'not_a_backup') return [];
    return [{ name, state: 'failed', detail: error.message, manifest: null }];
  }
}
