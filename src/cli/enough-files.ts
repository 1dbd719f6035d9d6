/** Refuses to run where too few files may be opened: LMDB ends the process when it gets none. */
import { fileLimit, spareFiles } from '../platform/open-files.ts';
import { EXIT } from './exit.ts';

/** Of each process that keeps data: its files, its sockets, and a few connections. */
const NEEDED = 32;
const COMMANDS: ReadonlySet<string | undefined> = new Set(['agent', 'hq', 'demo', 'journal']);

/** Says so and sets the exit code when it is not enough. */
export function hasEnoughFiles(command: string | undefined): boolean {
  if (!COMMANDS.has(command)) return true;
  const spare = spareFiles(NEEDED);
  if (spare === NEEDED) return true;
  const limit = fileLimit();
  const of = limit === null ? '' : ` (its limit is ${limit})`;
  process.stderr.write(
    `holdfast: this process can open only ${spare} more files at once${of} and needs ${NEEDED}: raise its limit, as with "ulimit -n 1024", or LimitNOFILE= of a systemd unit.\n`,
  );
  process.exitCode = EXIT.configuration;
  return false;
}
