/** The commands, and what a command line leads to. */
import { Command, CommanderError } from 'commander';
import type { AgentConfigError } from '../agent/main.ts';
import { errorText } from '../platform/error-text.ts';
import { VERSION } from '../platform/version.ts';
import { ConfigError } from '../settings/load.ts';
import { askedCommand } from './asked-command.ts';
import { examplesOf } from './examples.ts';
import { CommandFailure, EXIT } from './exit.ts';

type CommandEntry = {
  readonly summary: string;
  /** Heading of the help that it stands under. */
  readonly group: (typeof GROUPS)[number];
  /** Brings what gives the command its arguments, options and action. */
  readonly load: () => Promise<(command: Command) => void>;
};

const GROUPS = ['Run:', 'Look:', 'Ask HQ:', 'Set up:'] as const;

const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  demo: {
    summary: 'HQ and a few agents on this machine, with a link that breaks',
    group: 'Run:',
    load: async () => (await import('./commands/demo.ts')).defineDemoCommand,
  },
  hq: {
    summary: 'receive, store and show what agents send',
    group: 'Run:',
    load: async () => (await import('./commands/hq.ts')).defineHqCommand,
  },
  agent: {
    summary: 'sample, journal and deliver from this machine',
    group: 'Run:',
    load: async () => (await import('./commands/agent.ts')).defineAgentCommand,
  },
  config: {
    summary: 'effective settings with the origin of each',
    group: 'Look:',
    load: async () => (await import('./commands/config.ts')).defineConfigCommand,
  },
  journal: {
    summary: 'look into a data directory, read-only; it may be in use',
    group: 'Look:',
    load: async () => (await import('./commands/journal.ts')).defineJournalCommand,
  },
  backup: {
    summary: 'copy the data directory of HQ while it runs, check the copy, restore it',
    group: 'Set up:',
    load: async () => (await import('./commands/backup.ts')).defineBackupCommand,
  },
  agents: {
    summary: 'the agents that HQ knows',
    group: 'Ask HQ:',
    load: async () => (await import('./commands/agents.ts')).defineAgentsCommand,
  },
  ledger: {
    summary: 'what became of every sample of an agent',
    group: 'Ask HQ:',
    load: async () => (await import('./commands/ledger.ts')).defineLedgerCommand,
  },
  samples: {
    summary: 'samples of an agent, as they were measured',
    group: 'Ask HQ:',
    load: async () => (await import('./commands/samples.ts')).defineSamplesCommand,
  },
  series: {
    summary: 'what an agent measures',
    group: 'Ask HQ:',
    load: async () => (await import('./commands/series.ts')).defineSeriesCommand,
  },
  retire: {
    summary: 'take an agent that comes no more out of those that count, or remove it for good',
    group: 'Ask HQ:',
    load: async () => (await import('./commands/retire.ts')).defineRetireCommand,
  },
  completion: {
    summary: 'print a script that completes commands and flags in your shell',
    group: 'Set up:',
    load: async () => (await import('./completion/completion.ts')).defineCompletionCommand,
  },
  version: {
    summary: 'print the version of the software, its protocol and Node',
    group: 'Set up:',
    load: async () => (await import('./commands/version.ts')).defineVersionCommand,
  },
};

/** Runs one command line; resolves with its exit code. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  try {
    const program = await buildProgram(argv);
    await program.parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    return report(error);
  }
}

/**
 * The program, of which only the command that `argv` asks for is more than a name: an agent must not hold HQ in memory.
 * Its errors are thrown.
 */
export async function buildProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command('holdfast')
    .description('Keeps telemetry flowing over networks that cannot be trusted.')
    .version(VERSION, '-V, --version', 'print the version')
    .addHelpText('after', examplesOf(''))
    .showHelpAfterError('(add --help for the options)')
    .configureOutput({ outputError: (text, write) => write(withoutValues(text)) })
    .exitOverride();
  const asked = askedCommand(argv);
  for (const [name, { summary, group, load }] of Object.entries(COMMANDS)) {
    const command = program.command(name).description(summary).helpGroup(group);
    // What completes has to know them all.
    if (name !== asked && asked !== 'completion') continue;
    const define = await load();
    define(command);
    command.addHelpText('after', examplesOf(name));
  }
  for (const command of program.commands) {
    command.exitOverride();
    for (const nested of command.commands) nested.exitOverride();
  }
  return program;
}

/** A flag that is not known may be the misspelt one of a token. */
function withoutValues(text: string): string {
  return text.replace(/(unknown option '--?[^=']+)=[^']*'/, "$1=…'");
}

/**
 * What an agent finds wrong when it starts, such as the proxy of its environment. The class would bring all of the
 * agent along.
 */
function isOfSettings(error: unknown): error is AgentConfigError {
  return error instanceof Error && error.name === ('AgentConfigError' satisfies AgentConfigError['name']);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // Help and version that were asked for also come as errors, with exit code 0.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  if (error instanceof ConfigError || isOfSettings(error)) {
    process.stderr.write(
      `holdfast: the configuration is not valid:\n${error.problems.map((one) => `  - ${one}\n`).join('')}`,
    );
    return EXIT.configuration;
  }
  process.stderr.write(`holdfast: ${errorText(error)}\n`);
  return error instanceof CommandFailure ? error.exitCode : EXIT.failure;
}
