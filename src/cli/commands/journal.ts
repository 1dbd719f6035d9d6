import { statSync } from 'node:fs';
import { Argument, type Command, InvalidArgumentError } from 'commander';
import { firstValueFrom } from 'rxjs';
import { exportJournal, journalStats, peekJournal } from '../../journal/inspect/inspect.ts';
import { verifyJournal } from '../../journal/inspect/verify-journal.ts';
import { CommandFailure, EXIT } from '../exit.ts';
import { print } from '../print.ts';

type Options = { readonly json?: true; readonly count: number };

/** `holdfast journal stats|verify|peek|export DIR`: read-only, while the directory is in use or not. */
export function defineJournalCommand(journal: Command): void {
  const verbs: readonly {
    name: string;
    summary: string;
    run: (directory: string, options: Options) => Promise<void>;
  }[] = [
    { name: 'stats', summary: 'what is in it', run: stats },
    { name: 'verify', summary: 'check every record; exit code 1 when something is damaged', run: verify },
    { name: 'peek', summary: 'the newest pending samples', run: peek },
    { name: 'export', summary: 'all pending samples as NDJSON, oldest first', run: exportAll },
  ];
  for (const { name, summary, run } of verbs) {
    const command = journal
      .command(name)
      .description(summary)
      .addArgument(new Argument('<dir>', 'data directory of an agent or HQ'))
      .option('--json', 'for machines');
    if (name === 'peek') command.option('--count <n>', 'how many samples', parseCount, 10);
    command.action((directory: string, options: Options) => {
      expectDirectory(directory);
      return run(directory, options);
    });
  }
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new InvalidArgumentError('expected a whole number from 1 on');
  return count;
}

function expectDirectory(directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new CommandFailure(
    EXIT.usage,
    `${directory} is no directory: give the data directory of an agent or HQ`,
  );
}

async function stats(directory: string, { json }: Options): Promise<void> {
  const { journal, ...report } = journalStats(directory);
  const facts = { ...report, ...journal, ...(report.role === 'hq' ? await storeFacts(directory) : {}) };
  if (json) await print(JSON.stringify(facts));
  else for (const [name, value] of Object.entries(facts)) await print(`${name.padEnd(18)} ${text(value)}`);
}

/** What only HQ's own code can read there; loaded where it is needed. */
async function storeFacts(directory: string): Promise<object> {
  const { storeFactsIn } = await import('../../hq/backup/store-facts.ts');
  return storeFactsIn(directory);
}

async function verify(directory: string, { json }: Options): Promise<void> {
  const report = await firstValueFrom(verifyJournal(directory));
  if (json) await print(JSON.stringify(report));
  else {
    for (const [name, value] of Object.entries(report)) await print(`${name.padEnd(18)} ${text(value)}`);
  }
  if (!report.ok) process.exitCode = EXIT.failure;
}

async function peek(directory: string, { count }: Options): Promise<void> {
  await printAll(directory, peekJournal(directory, count));
}

async function exportAll(directory: string): Promise<void> {
  await printAll(directory, exportJournal(directory));
}

/** As NDJSON, as long as somebody reads it. Where there is nothing to read, standard error says why. */
async function printAll(directory: string, records: Iterable<object>): Promise<void> {
  let isEmpty = true;
  for (const record of records) {
    isEmpty = false;
    if (!(await print(JSON.stringify(record)))) return;
  }
  if (isEmpty) process.stderr.write(`holdfast: ${nothingPending(directory)}\n`);
}

function nothingPending(directory: string): string {
  const sampled = journalStats(directory).journal?.sampled ?? 0;
  return sampled === 0
    ? `nothing is pending in ${directory}: it has no samples yet`
    : `nothing is pending in ${directory}: HQ has confirmed or the ledger names all ${sampled} samples`;
}

function text(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
