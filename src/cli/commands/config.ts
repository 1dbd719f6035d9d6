import { Argument, type Command } from 'commander';
import { agentConfigSchema } from '../../agent/config.ts';
import { hqConfigSchema } from '../../hq/config.ts';
import { jsonSchemaOf } from '../../settings/leaves.ts';
import type { Effective } from '../../settings/load.ts';
import { tellIgnored } from '../ignored-variables.ts';
import { AGENT_LEAVES, loadAgentConfig } from '../settings/agent-settings.ts';
import { addSettingOptions } from '../settings/flags.ts';
import { HQ_LEAVES, loadHqConfig } from '../settings/hq-settings.ts';

type Row = { readonly setting: string; readonly value: unknown; readonly origin: string };

const components = {
  agent: { leaves: AGENT_LEAVES, load: loadAgentConfig, schema: agentConfigSchema },
  hq: { leaves: HQ_LEAVES, load: loadHqConfig, schema: hqConfigSchema },
} as const;

/** `holdfast config print|validate|schema agent|hq` */
export function defineConfigCommand(config: Command): void {
  for (const [name, component] of Object.entries(components)) {
    const verbs = [
      { verb: 'print', summary: 'print the effective settings and where each comes from', run: print },
      {
        verb: 'validate',
        summary: 'check the settings; exit code 78 when they are not valid',
        run: validate,
      },
    ];
    for (const { verb, summary, run } of verbs) {
      const parent =
        config.commands.find((one) => one.name() === verb) ?? config.command(verb).description(summary);
      const command = parent.command(name).description(`of the ${name}`).option('--json', 'for machines');
      addSettingOptions(command, component.leaves).action(async () => {
        const effective = await component.load(command);
        tellIgnored(effective);
        run(effective, wantsJson(command));
      });
    }
  }
  config
    .command('schema')
    .description('JSON Schema of the settings')
    .addArgument(new Argument('<component>').choices(Object.keys(components)))
    .action((name: keyof typeof components) => {
      process.stdout.write(`${JSON.stringify(jsonSchemaOf(components[name].schema), null, 2)}\n`);
    });
}

function wantsJson(command: Command): boolean {
  return command.getOptionValue('json') === true;
}

function rowsOf(effective: Effective<object>): Row[] {
  return effective.leaves.map((leaf) => {
    const value = leaf.path
      .split('.')
      .reduce<unknown>((node, key) => (node as Record<string, unknown> | undefined)?.[key], effective.config);
    const secret = leaf.secret && typeof value === 'string' && value !== '';
    return {
      setting: leaf.path,
      value: secret ? '(set)' : value,
      origin: effective.origins.get(leaf.path) ?? 'default',
    };
  });
}

function print(effective: Effective<object>, json: boolean): void {
  const rows = rowsOf(effective);
  if (json) {
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  const text = (value: unknown) => (value === undefined ? '(none)' : JSON.stringify(value));
  const widths = [
    Math.max(...rows.map((row) => row.setting.length)),
    Math.max(...rows.map((row) => text(row.value).length)),
  ];
  for (const row of rows) {
    process.stdout.write(
      `${row.setting.padEnd(widths[0] ?? 0)}  ${text(row.value).padEnd(widths[1] ?? 0)}  ${row.origin}\n`,
    );
  }
}

function validate(_effective: Effective<object>, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify({ valid: true })}\n` : 'valid\n');
}
