/** Says whether a backup is what was written: its manifest, the sum of each file, and every record of the store. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BackupError } from './backup-error.ts';
import { checkStore } from './check-store.ts';
import { asBackupError, type OnProgress, sumFile } from './files.ts';
import { type BackupManifest, readManifest } from './manifest.ts';

/** Rejects with BackupError, which says what is wrong. Changes nothing. */
export async function verifyBackup(
  folder: string,
  onProgress: OnProgress = () => {},
): Promise<BackupManifest> {
  const manifest = readManifest(folder);
  try {
    for (const file of manifest.files) await verifyFile(folder, file, onProgress);
    onProgress({ phase: 'check', bytes: 0, of: manifest.bytes });
    const { records, facts } = await checkStore(folder);
    if (records !== manifest.records)
      throw mismatch(folder, `the store has ${records} records, and had ${manifest.records}`);
    if (
      facts.hq !== manifest.hq ||
      facts.log?.log !== manifest.log?.log ||
      facts.log?.number !== manifest.log?.number
    )
      throw mismatch(
        folder,
        'its store is of another HQ, or another life of the log, than the manifest says',
      );
    return manifest;
  } catch (error) {
    throw asBackupError(error, `Cannot verify ${folder}`, folder);
  }
}

async function verifyFile(
  folder: string,
  { name, bytes, sha256 }: BackupManifest['files'][number],
  onProgress: OnProgress,
): Promise<void> {
  const path = join(folder, name);
  if (!existsSync(path)) throw mismatch(folder, `${name} is missing`);
  accessSync(path, constants.R_OK);
  const { size } = statSync(path);
  if (size !== bytes) throw mismatch(folder, `${name} has ${size} bytes, and had ${bytes}`);
  const sum = await sumFile(path, (done) => onProgress({ phase: 'sum', bytes: done, of: bytes }));
  if (sum !== sha256) throw mismatch(folder, `the SHA-256 of ${name} is not that of when it was made`);
}

function mismatch(folder: string, detail: string): BackupError {
  return new BackupError('damaged', `The backup ${folder} is damaged: ${detail}. Take another one.`);
}
