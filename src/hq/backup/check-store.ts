/** Reads every record of a store that nobody has open. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { DATA_FILE } from '../../storage/lmdb/lmdb-environment.ts';
import { walkFile } from '../../storage/lmdb/probe.ts';
import { BackupError } from './backup-error.ts';
import { type StoreFacts, storeFactsIn } from './store-facts.ts';

const BUDGET_MS = 86_400_000;

/** Rejects with BackupError `damaged`. */
export async function checkStore(
  folder: string,
): Promise<{ readonly records: number; readonly facts: StoreFacts }> {
  const path = join(folder, DATA_FILE);
  try {
    const walk = await lastValueFrom(walkFile({ path, budgetMs: BUDGET_MS, live: false }));
    if (walk.kind === 'failed') throw damaged(path, walk.detail);
    if (walk.brokenPages > 0) throw damaged(path, walk.detail);
    if (walk.damagedRecords > 0) {
      throw damaged(path, `${walk.damagedRecords} of ${walk.records} records do not match their checksums`);
    }
    return { records: walk.records, facts: storeFactsIn(folder) };
  } finally {
    removeReaders(`${path}-lock`);
  }
}

function damaged(path: string, detail: string): BackupError {
  return new BackupError('damaged', `${path} is damaged: ${detail}.`);
}

/** LMDB's table of readers comes with each look, and is no part of the backup. */
function removeReaders(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // On a disk that cannot be written, where none was made either.
  }
}
