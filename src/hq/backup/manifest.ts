/**
 * A backup of HQ is a folder:
 * - `data.mdb`     the store as one of its commits has left it;
 * - `backup.json`  what it is of, and the size and SHA-256 of each other file.
 *
 * The folder has another name until all of it is on the disk. So what has its name, and a manifest, is complete.
 * Tokens and other settings are no part of it; which HQ it is stands in the store.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { hqIdentitySchema } from '../../protocol/events.ts';
import { BACKUP_FILE } from '../../storage/directory/data-directory.ts';
import { logOffsetSchema } from '../log-life.ts';
import { BackupError } from './backup-error.ts';

/** Raised when an older version could not restore it. */
const BACKUP_FORMAT = 1;

export const manifestSchema = z
  .object({
    format: z.literal(BACKUP_FORMAT),
    version: z.string().describe('version of Holdfast that made it'),
    directoryFormat: z.int().min(1).describe('format of the data directory'),
    hq: hqIdentitySchema.nullable().describe('which HQ it is of; null: it was never noted'),
    log: logOffsetSchema.nullable().describe('the last entry of the log in it'),
    createdTs: z.number().describe('when it was begun, ms'),
    bytes: z.int().min(0).describe('of all files'),
    records: z.int().min(0).describe('in the store'),
    files: z
      .array(
        z.object({
          name: z.string().regex(/^[a-z][a-z.-]*$/),
          bytes: z.int().min(0),
          sha256: z.string().regex(/^[0-9a-f]{64}$/),
        }),
      )
      .min(1),
  })
  .meta({ id: 'BackupManifest' });
export type BackupManifest = z.infer<typeof manifestSchema>;

export const MANIFEST_BASE = { format: BACKUP_FORMAT } as const;

/** Throws BackupError. */
export function readManifest(folder: string): BackupManifest {
  const path = join(folder, BACKUP_FILE);
  if (!existsSync(path)) {
    throw new BackupError(
      'not_a_backup',
      `${folder} is no backup: there is no ${BACKUP_FILE} in it. Name a folder that \`holdfast backup create\` has made.`,
    );
  }
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new BackupError('damaged', `${path} cannot be read: take another backup.`, { cause: error });
  }
  const format = z.object({ format: z.int() }).safeParse(content);
  if (format.success && format.data.format > BACKUP_FORMAT) {
    throw new BackupError(
      'refused',
      `${folder} is a backup of format ${format.data.format}; this version knows up to ${BACKUP_FORMAT}. Use the newer version.`,
    );
  }
  const manifest = manifestSchema.safeParse(content);
  if (manifest.success) return manifest.data;
  throw new BackupError('damaged', `${path} is not what a backup has there: take another backup.`, {
    cause: manifest.error,
  });
}
