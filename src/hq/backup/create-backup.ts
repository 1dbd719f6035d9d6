/**
 * Makes a backup of HQ's data directory, while HQ runs on it or not.
 *
 * The copy is one snapshot of the store. HQ goes on meanwhile; what it changes finds new pages, so its file grows by
 * that. What was copied is read again, record by record, before the folder gets its name.
 */
import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { interval, lastValueFrom } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { BACKUP_FILE, readFormat, readRole, writeDurably } from '../../storage/directory/data-directory.ts';
import { roleOfRecords } from '../../storage/directory/directory-role.ts';
import { makeRoomToOpen } from '../../storage/directory/opening-room.ts';
import { DATA_FILE } from '../../storage/lmdb/lmdb-environment.ts';
import { openLmdbReader } from '../../storage/lmdb/lmdb-reader.ts';
import { copyFile } from '../../storage/lmdb/probe.ts';
import { BackupError } from './backup-error.ts';
import { checkStore } from './check-store.ts';
import { asBackupError, beginFolder, expectRoom, type OnProgress, sumFile, sync } from './files.ts';
import { type BackupManifest, MANIFEST_BASE } from './manifest.ts';

export type CreateBackupOptions = {
  /** HQ's data directory. */
  readonly directory: string;
  /** The folder to make. It must not exist, the one around it must. */
  readonly target: string;
  readonly clock: Clock;
  /** Of Holdfast. */
  readonly version: string;
  readonly onProgress?: OnProgress;
};

const DEADLINE_MS = 86_400_000;
const PROGRESS_MS = 250;
/** Manifest, lock file, and what a file system takes for itself. */
const SPARE_BYTES = 2 ** 20;

/** Rejects with BackupError; then nothing has the name of `target`. */
export async function createBackup(options: CreateBackupOptions): Promise<BackupManifest> {
  const directory = resolve(options.directory);
  const target = resolve(options.target);
  checkTarget(directory, target);
  const around = dirname(target);
  const expected = storeBytes(directory);
  expectRoom(around, expected + SPARE_BYTES, `The backup of ${directory}`);
  const folder = beginFolder(target);
  try {
    const manifest = await fill(folder.path, expected, { ...options, directory });
    rmSync(join(folder.path, 'lock.sqlite'), { force: true });
    sync(folder.path);
    if (existsSync(target)) throw existing(target);
    renameSync(folder.path, target);
    sync(around);
    return manifest;
  } catch (error) {
    rmSync(folder.path, { recursive: true, force: true });
    throw asBackupError(error, `The backup ${target} was not made`, around);
  } finally {
    folder.release();
  }
}

function checkTarget(directory: string, target: string): void {
  if (existsSync(target)) throw existing(target);
  const around = dirname(target);
  if (statSync(around, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new BackupError(
      'refused',
      `There is no folder ${around} to make ${basename(target)} in: make it first.`,
    );
  const way = relative(directory, target);
  if (way === '' || !way.startsWith('..'))
    throw new BackupError(
      'refused',
      `${target} lies in the data directory itself: choose a folder elsewhere, best on another disk.`,
    );
}

const existing = (target: string): BackupError =>
  new BackupError('refused', `${target} exists: choose a name that does not, such as one with the date.`);

/** What the file of the store takes. Throws BackupError where it is not HQ's, or cannot be read. */
function storeBytes(directory: string): number {
  try {
    const reader = openLmdbReader(directory);
    try {
      const role = readRole(directory) ?? reader.read(roleOfRecords);
      if (role === 'hq') return reader.stats().fileBytes;
    } finally {
      reader.close();
    }
  } catch (error) {
    throw asBackupError(error, `Cannot read ${directory}`, directory);
  }
  throw new BackupError(
    'refused',
    `The data directory ${directory} is not HQ's. An agent's journal is not backed up: HQ has what was delivered, and refuses a journal that was put back as a fork. Name the data directory of HQ.`,
  );
}

async function fill(
  folder: string,
  expected: number,
  { directory, clock, version, onProgress = () => {} }: Omit<CreateBackupOptions, 'target'>,
): Promise<BackupManifest> {
  const path = join(folder, DATA_FILE);
  const createdTs = clock.now();
  await copy({ from: join(directory, DATA_FILE), path, expected, clock, onProgress });
  const { size: bytes } = statSync(path);
  makeRoomToOpen(path);
  onProgress({ phase: 'check', bytes: 0, of: bytes });
  const { records, facts } = await checkStore(folder);
  const sha256 = await sumFile(path, (done) => onProgress({ phase: 'sum', bytes: done, of: bytes }));
  const manifest: BackupManifest = {
    ...MANIFEST_BASE,
    version,
    directoryFormat: readFormat(directory),
    hq: facts.hq,
    log: facts.log,
    createdTs,
    bytes,
    records,
    files: [{ name: DATA_FILE, bytes, sha256 }],
  };
  writeDurably(folder, BACKUP_FILE, manifest);
  return manifest;
}

type Copying = {
  readonly from: string;
  readonly path: string;
  readonly expected: number;
  readonly clock: Clock;
  readonly onProgress: OnProgress;
};

async function copy({ from, path, expected, clock, onProgress }: Copying): Promise<void> {
  const watching = interval(PROGRESS_MS, clock.scheduler).subscribe(() =>
    onProgress({ phase: 'copy', bytes: statSync(path, { throwIfNoEntry: false })?.size ?? 0, of: expected }),
  );
  try {
    const report = await lastValueFrom(copyFile({ path: from, target: path, deadlineMs: DEADLINE_MS }));
    const problem = report.kind === 'failed' ? report.detail : report.problem;
    if (problem === null) return;
    const isFull = report.kind === 'copied' && problem === 'the disk is full';
    throw new BackupError(
      isFull ? 'full' : 'io',
      `${from} could not be copied to ${dirname(path)}: ${problem}. ${isFull ? 'Free some space.' : 'See what `holdfast journal verify` says of the data directory.'}`,
    );
  } finally {
    watching.unsubscribe();
  }
}
