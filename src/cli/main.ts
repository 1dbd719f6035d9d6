/** The `holdfast` command. */
import { boundGarbage } from '../platform/bound-garbage.ts';
import { leaveDone } from '../platform/leave.ts';
import { spareMemory } from '../platform/spare-memory.ts';
import { askedCommand } from './asked-command.ts';
import { hasEnoughFiles } from './enough-files.ts';
import { processTitle } from './process-title.ts';

/** Runs one command line and ends the process with its exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  // Whoever reads our output may leave before its end, and a file may lie on a full disk; what is running goes on.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => {});
  process.title = processTitle(argv);
  // Before anything else is loaded.
  const command = askedCommand(argv);
  if (!hasEnoughFiles(command)) return;
  if (command === 'agent') spareMemory();
  if (command === 'hq') boundGarbage();
  const { runCommandLine } = await import('./command-line.ts');
  leaveDone(await runCommandLine(argv));
}
