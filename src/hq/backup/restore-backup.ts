/**
 * Makes a data directory of a backup. The store is copied into a folder within the directory, which may be a disk of
 * its own, checked, and given another life of the log; then one rename makes it the store of the directory. Until then
 * the directory is as it was, and after that whole.
 */
import { constants, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { concat, concatMap, firstValueFrom, ignoreElements, of } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import type { Ids } from '../../platform/ids.ts';
import { knownFormat, prepareDirectory } from '../../storage/directory/data-directory.ts';
import { lockDirectory } from '../../storage/directory/directory-lock.ts';
import { DATA_FILE } from '../../storage/lmdb/lmdb-environment.ts';
import { openLmdbStorage } from '../../storage/lmdb/lmdb-storage.ts';
import { beginLogLife, type LogLife } from '../log-life.ts';
import { BackupError } from './backup-error.ts';
import {
  asBackupError,
  beginFolder,
  expectRoom,
  type OnProgress,
  sumFile,
  sync,
  UNFINISHED,
} from './files.ts';
import type { BackupManifest } from './manifest.ts';
import { verifyBackup } from './verify-backup.ts';

export type RestoreBackupOptions = {
  readonly backup: string;
  /** The data directory to make; in use by nobody. */
  readonly directory: string;
  /** Move what is in the directory aside, into a folder within it. Default: it must be empty, or not exist. */
  readonly force?: boolean;
  readonly clock: Clock;
  readonly ids: Pick<Ids, 'hex'>;
  readonly onProgress?: OnProgress;
};

export type Restored = {
  readonly directory: string;
  readonly manifest: BackupManifest;
  /** The new life of the log. */
  readonly log: string;
  /** Where that is now which was in the directory before; null: nothing was. */
  readonly aside: string | null;
};

/** Whose the directory is, moved last: without a data file it tells that there was one. */
const LAST = 'identity.json';
/** What a directory that was never used may hold. */
const NOTHING: ReadonlySet<string> = new Set(['lock.sqlite', 'lost+found']);
const SPARE_BYTES = 4 * 2 ** 20;

/** Rejects with BackupError; then the store of the directory is what it was. */
export async function restoreBackup(options: RestoreBackupOptions): Promise<Restored> {
  const backup = resolve(options.backup);
  const directory = resolve(options.directory);
  const manifest = await verifyBackup(backup, options.onProgress);
  if (manifest.directoryFormat > knownFormat('hq')) {
    throw new BackupError(
      'refused',
      `The store in ${backup} has format ${manifest.directoryFormat}; this version knows up to ${knownFormat('hq')}. Use the newer version.`,
    );
  }
  try {
    prepareDirectory(directory);
    expectEmpty(directory, options.force === true);
    const lock = lockDirectory(directory);
    try {
      expectRoom(directory, manifest.bytes + SPARE_BYTES, `Restoring ${backup}`);
      return await fill(directory, manifest, { ...options, backup });
    } finally {
      lock.release();
    }
  } catch (error) {
    throw asBackupError(error, `${backup} was not restored`, directory);
  }
}

const contentOf = (directory: string): readonly string[] =>
  readdirSync(directory).filter((name) => !NOTHING.has(name) && !name.endsWith(UNFINISHED));

function expectEmpty(directory: string, force: boolean): void {
  if (force || contentOf(directory).length === 0) return;
  throw new BackupError(
    'refused',
    `${directory} is not empty: name one that is, or that does not exist. With --force what is in it is moved aside, into a folder within it.`,
  );
}

async function fill(
  directory: string,
  manifest: BackupManifest,
  options: RestoreBackupOptions,
): Promise<Restored> {
  const folder = beginFolder(join(directory, 'restore'));
  try {
    for (const { name, sha256 } of manifest.files) {
      const to = join(folder.path, name);
      copyFileSync(join(options.backup, name), to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      if ((await sumFile(to)) !== sha256)
        throw new BackupError('io', `${to} is not what was copied there: check the disk of ${directory}.`);
    }
    folder.release();
    const life = await beginLife(folder.path, manifest, options);
    const aside = moveAside(directory, options.clock.now());
    renameSync(join(folder.path, DATA_FILE), join(directory, DATA_FILE));
    sync(directory);
    return { directory, manifest, log: life.log, aside };
  } finally {
    folder.release();
    rmSync(folder.path, { recursive: true, force: true });
  }
}

/** Opens the copy as HQ does, which marks it, and flushes what says whence it comes. */
function beginLife(
  folder: string,
  { createdTs, log }: BackupManifest,
  { clock, ids }: RestoreBackupOptions,
): Promise<LogLife> {
  const from = log ?? { log: '0'.repeat(16), partition: 0, number: 0 };
  const restored = { ts: clock.now(), backupTs: createdTs, from };
  return firstValueFrom(
    openLmdbStorage({ directory: folder, role: 'hq', clock }).pipe(
      concatMap((storage) =>
        beginLogLife({ storage, ids }, restored).pipe(
          concatMap((life) => concat(storage.close().pipe(ignoreElements()), of(life))),
        ),
      ),
    ),
  );
}

/** Moves all that is in the directory into a folder within it; returns that. */
function moveAside(directory: string, now: number): string | null {
  const names = contentOf(directory).filter((name) => !name.startsWith('before-restore-'));
  if (names.length === 0) return null;
  let aside = join(directory, `before-restore-${now}`);
  for (let n = 1; existsSync(aside); n += 1) aside = join(directory, `before-restore-${now}-${n}`);
  mkdirSync(aside, { mode: 0o700 });
  for (const name of names.sort((a, b) => Number(a === LAST) - Number(b === LAST)))
    renameSync(join(directory, name), join(aside, name));
  sync(aside);
  sync(directory);
  return aside;
}
