/**
 * A process of its own that makes one backup for HQ: reading the directory of HQ a second time within HQ would take its
 * locks away, and summing up would hold it up. Takes one request as JSON argument, prints one answer as JSON.
 */
import { writeSync } from 'node:fs';
import { z } from 'zod';
import { createSystemClock } from '../../platform/clock.ts';
import { leaveNow } from '../../platform/leave.ts';
import { createBackup } from './create-backup.ts';
import { asBackupError } from './files.ts';
import type { BackupAnswer } from './run-backup.ts';

// It ends with HQ; what it has not finished has no name, and the next one removes it.
process.stdin.on('end', () => leaveNow(1)).resume();
process.stdin.unref();

const request = z
  .object({ directory: z.string(), target: z.string(), version: z.string() })
  .parse(JSON.parse(process.argv[2] ?? ''));

async function answer(): Promise<BackupAnswer> {
  try {
    const manifest = await createBackup({ ...request, clock: createSystemClock() });
    return { kind: 'made', manifest };
  } catch (error) {
    const { code, message } = asBackupError(error, 'The backup was not made', request.directory);
    return { kind: 'failed', code, message };
  }
}
writeSync(1, JSON.stringify(await answer()));
