/**
 * Whose data directory it is. An agent's journal and HQ's store lie in files of the same names, so that a mistyped
 * `--data-dir` would mix their records. The role stands in the identity file; in directories from before it was written
 * there the records tell: the keys of an agent's journal begin with a byte up to 0x40 (journal/keys.ts), those of HQ's
 * store with a capital letter.
 */
import { type Reader, StorageError } from '../storage.ts';

export const DIRECTORY_ROLES = ['agent', 'hq'] as const;
export type DirectoryRole = (typeof DIRECTORY_ROLES)[number];

const NAMES: Readonly<Record<DirectoryRole, string>> = { agent: 'an agent', hq: 'HQ' };
const KEYS: Readonly<Record<DirectoryRole, { readonly from: Uint8Array; readonly to: Uint8Array }>> = {
  agent: { from: Uint8Array.of(0x00), to: Uint8Array.of(0x41) },
  hq: { from: Uint8Array.of(0x41), to: Uint8Array.of(0x5b) },
};

/** Null when there are records of neither, or of both: that happened before roles were told apart. */
export function roleOfRecords(reader: Reader): DirectoryRole | null {
  const present = DIRECTORY_ROLES.filter((role) => reader.keys({ ...KEYS[role], limit: 1 }).length > 0);
  return present.length === 1 ? (present[0] ?? null) : null;
}

export function wrongRole(directory: string, belongsTo: DirectoryRole, asked: DirectoryRole): StorageError {
  return new StorageError(
    'configuration',
    `The data directory ${directory} belongs to ${NAMES[belongsTo]} and cannot be that of ${NAMES[asked]} too. ` +
      `Give ${asked === 'hq' ? 'HQ' : 'the agent'} another --data-dir.`,
  );
}
