/**
 * The data directory and what lies in it:
 * - `data.mdb`, `data.mdb-lock`  LMDB's files;
 * - `lock.sqlite`                held while in use (directory-lock.ts);
 * - `identity.json`              format version, when it was created, and whose it is (directory-role.ts);
 * - `in-use.json`                exists from open to close, so that its presence at open tells an unclean end;
 * - `reserve.bin`              space held back for when the disk is full (disk-reserve.ts);
 * - `traffic.json`             of an agent: bytes that its link has carried (agent/uplink/metering);
 * - `quarantine-<ts>-<n>.mdb`    damaged files that were moved aside, the newest few;
 * - `data.mdb.before-<n>`, `identity.json.before-<n>`
 *                              copies from before format <n> (format-upgrade.ts);
 * - `damage.json`             what became of a data file, until it was told (damage-note.ts);
 * - `salvaged-<ts>.mdb`           while a damaged file is being salvaged; then it takes the place of `data.mdb`.
 * Directory 0700, files 0600.
 */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { StorageError } from '../storage.ts';
import { writeFailure } from '../write-failure.ts';
import { DIRECTORY_ROLES, type DirectoryRole, wrongRole } from './directory-role.ts';

/** What a directory is marked with, so that an older version does not take it for empty of what it cannot read. */
const FORMATS: Readonly<Record<DirectoryRole, number>> = {
  agent: 1,
  // 2: frames lie in the log before they are in the index.
  hq: 2,
};
const FIRST_FORMAT = 1;
export const IDENTITY_FILE = 'identity.json';
/** Marks a folder as a backup, which is restored and never used as it is (hq/backup). */
export const BACKUP_FILE = 'backup.json';
const IN_USE_FILE = 'in-use.json';
/** Exists for a moment, while opening-room.ts sees whether there is room for a new data file. */
export const ROOM_FILE = 'data.mdb.room';
/** Ending of the name that a file has until it is complete. */
export const UNFINISHED = '.new';
const QUARANTINES_KEPT = 3;
/** Magic numbers of statfs(2): file systems on which LMDB's memory map and locks do not hold. */
const REFUSED_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x01021997, '9p'],
]);

const identitySchema = z.object({
  format: z.number().int(),
  createdTs: z.number(),
  /** Absent in directories from before it was written, and where it is not known. */
  role: z.enum(DIRECTORY_ROLES).optional().catch(undefined),
  /** Of HQ's directory: which HQ this is, as the store says too (hq/identity.ts). */
  hq: z.string().min(1).max(64).optional().catch(undefined),
});

const inUseSchema = z.object({
  bootId: z.string(),
  /** Unclean ends in a row before this use, since the file was last walked through. */
  uncleanEnds: z.number().int().min(0),
  /** A read failed: walk through the file at the next open. */
  suspect: z.boolean(),
  /**
   * Opens in a row, the present one included, of which no commit has come to an end: a file can be read well and yet
   * end the process that writes to it. Absent in markers of before it was counted.
   */
  fruitless: z.number().int().min(0).default(0),
});
/** How the directory was left. */
export type InUse = z.infer<typeof inUseSchema>;

export type StatFileSystem = (path: string) => { readonly type: number };

/** Creates the directory where it is missing; refuses network file systems and backups. */
export function prepareDirectory(directory: string, statFileSystem: StatFileSystem = statfsSync): void {
  if (existsSync(join(directory, BACKUP_FILE))) {
    throw new StorageError(
      'configuration',
      `${directory} is a backup, and stays as it is. Restore it into a data directory: holdfast backup restore ${directory} DIR`,
    );
  }
  try {
    createFolders(directory);
    chmodSync(directory, 0o700);
  } catch (error) {
    const what = existsSync(directory) ? 'use' : 'create';
    throw writeFailure(`Cannot ${what} the data directory ${directory}`, nearest(directory), error);
  }
  const refused = REFUSED_FILE_SYSTEMS.get(statFileSystem(directory).type >>> 0);
  if (refused !== undefined) {
    throw new StorageError(
      'unsupported_filesystem',
      `The data directory ${directory} lies on ${refused}, which corrupts memory-mapped data. Use a local disk.`,
    );
  }
}

/** The folder that is there. */
function nearest(directory: string): string {
  let path = resolve(directory);
  while (!existsSync(path) && dirname(path) !== path) path = dirname(path);
  return path;
}

/**
 * One level at a time: Node's own recursion never ends below /proc, where a parent exists in which nothing can be
 * created.
 */
function createFolders(directory: string): void {
  const missing: string[] = [];
  for (let path = resolve(directory); !existsSync(path) && dirname(path) !== path; path = dirname(path)) {
    missing.push(path);
  }
  for (const path of missing.reverse()) {
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      // Another process may have been faster.
      if (!existsSync(path)) throw error;
    }
  }
}

/**
 * Writes the identity of a new directory, checks that of an old one. An unreadable identity is written again, without a
 * role.
 */
export function checkIdentity(directory: string, now: number): void {
  const identity = readJson(join(directory, IDENTITY_FILE), identitySchema);
  if (identity === null) {
    writeDurably(directory, IDENTITY_FILE, { format: FIRST_FORMAT, createdTs: now });
    return;
  }
  const known = FORMATS[identity.role ?? 'hq'];
  if (identity.format > known) {
    throw new StorageError(
      'configuration',
      `The data directory ${directory} has format ${identity.format}; this version knows up to ${known}. Use the newer version.`,
    );
  }
}

/** Whose the directory is, as far as its identity says. */
export function readRole(directory: string): DirectoryRole | null {
  return readJson(join(directory, IDENTITY_FILE), identitySchema)?.role ?? null;
}

/** The format that it is marked with; that of new ones where it says none. */
export function readFormat(directory: string): number {
  return readJson(join(directory, IDENTITY_FILE), identitySchema)?.format ?? FIRST_FORMAT;
}

/** The latest format of a role that this version knows. */
export const knownFormat = (role: DirectoryRole): number => FORMATS[role];

export type DirectoryOwner = Pick<z.infer<typeof identitySchema>, 'createdTs' | 'role' | 'hq'>;

/** What its identity says; null where there is none that can be read. */
export function readOwner(directory: string): DirectoryOwner | null {
  return readJson(join(directory, IDENTITY_FILE), identitySchema);
}

/** Throws when the identity says that the directory is another's. Writes nothing. */
export function refuseOtherRole(directory: string, role: DirectoryRole): void {
  const recorded = readRole(directory);
  if (recorded !== null && recorded !== role) throw wrongRole(directory, recorded, role);
}

/** Whether the identity says that it is of this role, in the format of this version. */
export function isMarked(directory: string, role: DirectoryRole): boolean {
  const identity = readJson(join(directory, IDENTITY_FILE), identitySchema);
  return identity?.role === role && identity.format === FORMATS[role];
}

/** Writes role and format. */
export function markDirectory(directory: string, role: DirectoryRole): void {
  const identity = readJson(join(directory, IDENTITY_FILE), identitySchema);
  if (identity !== null) writeDurably(directory, IDENTITY_FILE, { ...identity, role, format: FORMATS[role] });
}

/** Writes the role, and leaves the format: nothing of the directory is changed. */
export function noteRole(directory: string, role: DirectoryRole): void {
  const identity = readJson(join(directory, IDENTITY_FILE), identitySchema);
  if (identity !== null) writeDurably(directory, IDENTITY_FILE, { ...identity, role });
}

export function readHqIdentity(directory: string): string | null {
  return readJson(join(directory, IDENTITY_FILE), identitySchema)?.hq ?? null;
}

export function writeHqIdentity(directory: string, hq: string): void {
  const identity = readJson(join(directory, IDENTITY_FILE), identitySchema);
  if (identity !== null) writeDurably(directory, IDENTITY_FILE, { ...identity, hq });
}

/** Null when the directory was closed cleanly. */
export function readInUse(directory: string): InUse | null {
  const path = join(directory, IN_USE_FILE);
  try {
    readFileSync(path);
  } catch {
    return null;
  }
  // A marker that cannot be read says unclean, and nothing that could be trusted.
  return readJson(path, inUseSchema) ?? { bootId: '', uncleanEnds: 0, suspect: true, fruitless: 1 };
}

export function writeInUse(directory: string, inUse: InUse): void {
  writeDurably(directory, IN_USE_FILE, inUse);
}

export function clearInUse(directory: string): void {
  rmSync(join(directory, IN_USE_FILE), { force: true });
  syncDirectory(directory);
}

/**
 * Gives a file a second name under which it stays, and returns that path; removes the oldest quarantined files beyond a
 * few. The file keeps its own name until something better takes its place, so that there is no moment without it.
 */
export function quarantine(directory: string, file: string, now: number): string {
  const existing = readdirSync(directory).filter((name) => name.startsWith('quarantine-'));
  let n = 0;
  while (existing.includes(`quarantine-${now}-${n}.mdb`)) n += 1;
  const target = join(directory, `quarantine-${now}-${n}.mdb`);
  try {
    linkSync(join(directory, file), target);
  } catch {
    // Some file systems have no links.
    copyFileSync(join(directory, file), target);
  }
  const surplus = existing.sort(byAge).slice(0, Math.max(0, existing.length + 1 - QUARANTINES_KEPT));
  for (const name of surplus) rmSync(join(directory, name), { force: true });
  syncDirectory(directory);
  return target;
}

function byAge(a: string, b: string): number {
  const [, tsA = '', nA = ''] = a.split(/[-.]/);
  const [, tsB = '', nB = ''] = b.split(/[-.]/);
  return Number(tsA) - Number(tsB) || Number(nA) - Number(nB);
}

function readJson<T>(path: string, schema: z.ZodType<T>): T | null {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null;
  }
}

/** Throws StorageError; then what was there before stands. */
export function writeDurably(directory: string, name: string, content: unknown): void {
  const path = join(directory, name);
  const unfinished = `${path}${UNFINISHED}`;
  try {
    const file = openSync(unfinished, 'w', 0o600);
    try {
      writeSync(file, `${JSON.stringify(content)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(unfinished, path);
    syncDirectory(directory);
  } catch (error) {
    removeQuietly(unfinished);
    throw writeFailure(`Cannot write ${path}`, directory, error);
  }
}

const UNFINISHED_FILES: ReadonlySet<string> = new Set(
  [IDENTITY_FILE, IN_USE_FILE].map((name) => `${name}${UNFINISHED}`),
);

/** Removes what a process that ended while it wrote has left. For the holder of the directory. */
export function removeUnfinished(directory: string): void {
  for (const name of readdirSync(directory)) {
    const isOfUpgrade = /\.before-\d+\.new$/.test(name);
    if (isOfUpgrade || UNFINISHED_FILES.has(name)) removeQuietly(join(directory, name));
  }
  removeQuietly(join(directory, ROOM_FILE));
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // A disk that cannot be written keeps it; the next write of it begins again all the same.
  }
}

export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
