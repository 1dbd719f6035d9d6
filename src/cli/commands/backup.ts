import { Argument, type Command } from 'commander';
import { firstValueFrom, timer } from 'rxjs';
import { BackupError, type BackupErrorCode } from '../../hq/backup/backup-error.ts';
import { backupSchema } from '../../hq/backup/backups.ts';
import { createBackup } from '../../hq/backup/create-backup.ts';
import type { OnProgress, Progress } from '../../hq/backup/files.ts';
import type { BackupManifest } from '../../hq/backup/manifest.ts';
import { restoreBackup } from '../../hq/backup/restore-backup.ts';
import { verifyBackup } from '../../hq/backup/verify-backup.ts';
import { createSystemClock } from '../../platform/clock.ts';
import { systemIds } from '../../platform/ids.ts';
import { VERSION } from '../../platform/version.ts';
import { clientOf, parseUrl } from '../asking/hq-options.ts';
import { CommandFailure, EXIT } from '../exit.ts';

type Options = {
  readonly json?: true;
  readonly force?: true;
  readonly hq?: string;
  readonly tokenFile?: string;
};

const PATH = '/api/v1/backups';

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
    .addArgument(new Argument('<dir>', 'data directory of HQ; with --hq the name of the backup'))
    .addArgument(new Argument('[target]', 'folder to make; the one around it must exist'))
    .option('--hq <url>', 'have HQ there make it, in the folder of its setting backup.dir', parseUrl)
    .option('--token-file <file>', 'with --hq: file with the operator token')
    .option('--json', 'print the manifest as JSON')
    .action((directory: string, target: string | undefined, options: Options) => {
      if (options.hq !== undefined) return createAt(options.hq, [directory, target], options);
      if (target !== undefined) return create(directory, target, options);
      throw new CommandFailure(EXIT.usage, 'name the folder to make, behind the data directory');
    });
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

/** HQ is asked this often whether it is made, ms. */
const LOOK_AGAIN_MS = 500;

async function createAt(
  url: string,
  [name, surplus]: readonly [string, string | undefined],
  { tokenFile, json }: Options,
): Promise<void> {
  if (surplus !== undefined)
    throw new CommandFailure(EXIT.usage, `with --hq only the name of the backup is given, not ${surplus}`);
  const client = clientOf({ hq: url, output: 'json', ...(tokenFile !== undefined && { tokenFile }) });
  const { scheduler } = createSystemClock();
  let backup = backupSchema.parse(await client.post(PATH, { name }));
  while (backup.state === 'running') {
    await firstValueFrom(timer(LOOK_AGAIN_MS, scheduler));
    for await (const item of client.items(PATH)) {
      const one = backupSchema.parse(item);
      if (one.name === name) backup = one;
    }
  }
  if (backup.manifest === null)
    throw new CommandFailure(EXIT.failure, backup.detail ?? 'the backup was not made');
  say(json, { backup: name, ...backup.manifest }, [
    `HQ has made the backup ${name}:`,
    ...lines(backup.manifest),
  ]);
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
