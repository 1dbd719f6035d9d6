/** The `holdfast` command. */
import { Command, CommanderError } from 'commander';
import { VERSION } from '../platform/version.ts';
import { addAgentCommand } from './commands/agent.ts';
import { addConfigCommand } from './commands/config.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addHqCommand } from './commands/hq.ts';
import { addJournalCommand } from './commands/journal.ts';
import { addVersionCommand } from './commands/version.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { ConfigError } from './settings/load.ts';
import { messageOf } from './signals.ts';

/** Runs one command line and ends the process with its exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  process.exitCode = await run(argv);
  // Whatever a library still holds open must not keep a finished command alive.
  process.exit();
}

async function run(argv: readonly string[]): Promise<number> {
  try {
    await buildProgram().parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    return report(error);
  }
}

function buildProgram(): Command {
  const program = new Command('holdfast')
    .description('Keeps telemetry flowing over networks that cannot be trusted.')
    .version(VERSION, '--version', 'print the version')
    .showHelpAfterError('(add --help for the options)')
    .exitOverride();
  const addCommands = [
    addDemoCommand,
    addHqCommand,
    addAgentCommand,
    addConfigCommand,
    addJournalCommand,
    addVersionCommand,
  ];
  for (const add of addCommands) add(program);
  for (const command of program.commands) {
    command.exitOverride();
    for (const nested of command.commands) nested.exitOverride();
  }
  return program;
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // Help and version that were asked for also come as errors, with exit code 0.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  if (error instanceof ConfigError) {
    process.stderr.write(
      `holdfast: the configuration is not valid:\n${error.problems.map((one) => `  - ${one}\n`).join('')}`,
    );
    return EXIT.configuration;
  }
  process.stderr.write(`holdfast: ${messageOf(error)}\n`);
  return error instanceof CommandFailure ? error.exitCode : EXIT.failure;
}
