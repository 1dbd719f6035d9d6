/**
 * A directory of an earlier format is taken over where it is. Before anything is changed, its data file and its
 * identity are copied to `data.mdb.before-FORMAT` and `identity.json.before-FORMAT`, so that the earlier version can
 * have them back. They stay until somebody removes them.
 */
import { constants, existsSync, renameSync, statfsSync, statSync } from 'node:fs';
import { copyFile, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StorageError } from '../storage.ts';
import { writeFailure } from '../write-failure.ts';
import { IDENTITY_FILE, knownFormat, readFormat, syncDirectory, UNFINISHED } from './data-directory.ts';
import type { DirectoryRole } from './directory-role.ts';

export type FormatUpgrade = {
  readonly from: number;
  readonly to: number;
  /** The copy of the data file. */
  readonly kept: string;
  /** What the copies take, bytes. */
  readonly bytes: number;
};

/** Left for what the first commits take. */
const SPARE_BYTES = 2 ** 20;

/** Null where there is nothing to take over, or it has been copied. `dataFile`: its name. */
export function upgradeOf(directory: string, role: DirectoryRole, dataFile: string): FormatUpgrade | null {
  const [from, to] = [readFormat(directory), knownFormat(role)];
  const kept = join(directory, `${dataFile}.before-${to}`);
  if (from >= to || existsSync(kept)) return null;
  return { from, to, kept, bytes: statSync(join(directory, dataFile)).size };
}

/** The data file must be written by nobody meanwhile. Rejects with StorageError; then nothing has changed. */
export async function keepCopy(directory: string, dataFile: string, upgrade: FormatUpgrade): Promise<void> {
  const { to, kept, bytes } = upgrade;
  const { bavail, bsize } = statfsSync(directory);
  const free = bavail * bsize;
  if (free < bytes + SPARE_BYTES) {
    throw new StorageError(
      'full',
      `${directory} is to be taken over to format ${to}, and a copy of ${dataFile} kept: that takes ${bytes + SPARE_BYTES} bytes, and its disk has ${free} left. Free some space. Or copy ${dataFile} and ${IDENTITY_FILE} to another disk yourself, and leave a file ${kept} that says where they are: then no copy is made here.`,
    );
  }
  try {
    // The data file last: with it the copy is complete.
    await copyDurably(directory, IDENTITY_FILE, `${IDENTITY_FILE}.before-${to}`);
    await copyDurably(directory, dataFile, `${dataFile}.before-${to}`);
  } catch (error) {
    throw writeFailure(`Cannot keep a copy of ${dataFile} in ${kept}`, directory, error);
  }
}

async function copyDurably(directory: string, from: string, to: string): Promise<void> {
  const unfinished = join(directory, `${to}${UNFINISHED}`);
  try {
    await copyFile(join(directory, from), unfinished, constants.COPYFILE_FICLONE);
    const file = await open(unfinished, 'r+');
    await file.sync().finally(() => file.close());
    renameSync(unfinished, join(directory, to));
    syncDirectory(directory);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
