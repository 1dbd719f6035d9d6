import { Argument, type Command } from 'commander';
import { BackupError, type BackupErrorCode } from '../../hq/backup/backup-error.ts';
import { createBackup } from '../../hq/backup/create-backup.ts';
import type { OnProgress, Progress } from '../../hq/backup/files.ts';
import type { BackupManifest } from '../../hq/backup/manifest.ts';
import { restoreBackup } from '../../hq/backup/restore-backup.ts';
import { verifyBackup } from '../../hq/backup/verify-backup.ts';
import { createSystemClock } from '../../platform/clock.ts';
import { systemIds } from '../../platform/ids.ts';
import { VERSION } from '../../platform/version.ts';
import { CommandFailure, EXIT } from '../exit.ts';

type Options = { readonly json?: true; readonly force?: true };

const EXIT_OF: Readonly<Record<BackupErrorCode, number>> = {
  refused: EXIT.usage,
  not_a_backup: EXIT.usage,
  damaged: EXIT.failure,
  full: EXIT.failure,
  io: EXIT.failure,
};

/** `holdfast backup create|verify|restore`: copies of HQ's data directory. */
export function defineBackupCommand(backup: Command): void {
  backup
    .command('create')
    .description('copy the data directory of HQ, which may run, into a new folder')
    .addArgument(new Argument('<dir>', 'data directory of HQ'))
    .addArgument(new Argument('<target>', 'folder to make; the one around it must exist'))
    .option('--json', 'print the manifest as JSON')
    .action((directory: string, target: string, options: Options) => create(directory, target, options));
  backup
    .command('verify')
    .description('check sums and every record; exit code 1 when something is damaged')
    .addArgument(new Argument('<backup>', 'folder that `backup create` has made'))
    .option('--json', 'print the manifest as JSON')
    .action(verify);
  backup
    .command('restore')
    .description('verify a backup, and make a data directory of it')
    .addArgument(new Argument('<backup>', 'folder that `backup create` has made'))
    .addArgument(new Argument('<dir>', 'data directory to make; nothing may be in it'))
    .option('--force', 'move what is in the directory aside, into a folder within it')
    .option('--json', 'print what was done as JSON')
    .action(restore);
}

async function create(directory: string, target: string, { json }: Options): Promise<void> {
  const clock = createSystemClock();
  const manifest = await told((onProgress) =>
    createBackup({ directory, target, clock, version: VERSION, onProgress }),
  );
  say(json, { backup: target, ...manifest }, [`${target} is a backup of ${directory}:`, ...lines(manifest)]);
}

async function verify(backup: string, { json }: Options): Promise<void> {
  const manifest = await told((onProgress) => verifyBackup(backup, onProgress));
  say(json, { backup, ...manifest }, [`${backup} is sound:`, ...lines(manifest)]);
}

async function restore(backup: string, directory: string, { json, force }: Options): Promise<void> {
  const clock = createSystemClock();
  const restored = await told((onProgress) =>
    restoreBackup({ backup, directory, force: force === true, clock, ids: systemIds, onProgress }),
  );
  const { manifest, aside } = restored;
  say(json, restored, [
    `${directory} is HQ as of the backup:`,
    ...lines(manifest),
    ...(aside === null ? [] : [`  what was there before is in ${aside}: remove it when you need it no more`]),
    'Start HQ on it. Agents send again what they still have; the ledger names the rest as lost_at_hq.',
  ]);
}

function lines({ hq, log, createdTs, bytes, records }: BackupManifest): string[] {
  return [
    `  of HQ ${hq ?? '(not known)'} at ${new Date(createdTs).toISOString()}`,
    `  log ${log === null ? '(not known)' : `${log.log}, ${log.number} entries`}`,
    `  ${records} records, ${bytes} bytes`,
  ];
}

function say(json: true | undefined, document: object, text: readonly string[]): void {
  process.stdout.write(json ? `${JSON.stringify(document)}\n` : `${text.join('\n')}\n`);
}

/** Shows how far it is where a person looks on, and turns what went wrong into an exit code. */
async function told<T>(work: (onProgress: OnProgress) => Promise<T>): Promise<T> {
  const isWatched = process.stderr.isTTY === true;
  try {
    return await work(isWatched ? show : () => {});
  } catch (error) {
    if (error instanceof BackupError)
      throw new CommandFailure(EXIT_OF[error.code], error.message, { cause: error });
    throw error;
  } finally {
    if (isWatched) process.stderr.write(CLEAR);
  }
}

const CLEAR = '\r\u001B[K';
const DOES: Readonly<Record<Progress['phase'], string>> = {
  copy: 'copying',
  check: 'checking every record',
  sum: 'summing up',
};

function show({ phase, bytes, of }: Progress): void {
  const share = phase === 'check' || of === 0 ? '' : ` ${Math.min(100, Math.floor((100 * bytes) / of))} %`;
  process.stderr.write(`${CLEAR}${DOES[phase]}${share}`);
}
