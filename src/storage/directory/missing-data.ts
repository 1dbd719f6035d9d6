/**
 * Tells a data directory that is new from one whose data file has been taken away: its owner begins with nothing in
 * both, but in the second it has to say so.
 */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type InUse, readOwner } from './data-directory.ts';
import type { DirectoryRole } from './directory-role.ts';

/** LMDB's lock file begins with it once a data file was opened; before it holds nothing but zeros. */
const LMDB_MAGIC = 0xbeefc0de;
/** Files that only the owner of a data file writes. */
const TRACE = /^(quarantine-.*\.mdb|traffic\.json)$/;

const OUTCOME: Readonly<Record<DirectoryRole, string>> = {
  hq: 'HQ begins with an empty store. Agents send what their journals still hold; what has left them is accounted as lost_at_hq',
  agent:
    'A new journal begins, with an epoch of its own. What was not delivered is gone, and stays pending in the ledger of the old epoch at HQ',
};

/** Says what is gone and what to do; null: nothing shows that there was a data file. `before`: its in-use marker. */
export function missingData(directory: string, dataFile: string, before: InUse | null): string | null {
  const owner = readOwner(directory);
  // The role is written once the data file is open.
  const isKnown = owner?.role !== undefined || owner?.hq !== undefined;
  if (!isKnown && before?.fruitless !== 0 && !hasTraces(directory, dataFile)) return null;
  const role = owner?.role ?? (owner?.hq === undefined ? null : 'hq');
  const name =
    role === null ? 'another process' : role === 'agent' ? 'an agent' : `HQ ${owner?.hq ?? ''}`.trim();
  const since = owner === null ? '' : ` since ${new Date(owner.createdTs).toISOString()}`;
  const outcome = role === null ? 'What was in it is gone' : OUTCOME[role];
  return `${dataFile} is gone: the data directory ${directory} was in use by ${name}${since}. ${outcome}. If that is not what you want, stop this process, put ${dataFile} back as it was (from where it was moved, or from a backup), and start it again`;
}

function hasTraces(directory: string, dataFile: string): boolean {
  return (
    readdirSync(directory).some((name) => TRACE.test(name)) || wasOpened(join(directory, `${dataFile}-lock`))
  );
}

function wasOpened(lockFile: string): boolean {
  let fd: number;
  try {
    fd = openSync(lockFile, 'r');
  } catch {
    return false;
  }
  try {
    const magic = Buffer.alloc(4);
    return readSync(fd, magic, 0, 4, 0) === 4 && magic.readUInt32LE(0) === LMDB_MAGIC;
  } finally {
    closeSync(fd);
  }
}
