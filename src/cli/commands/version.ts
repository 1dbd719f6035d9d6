import type { Command } from 'commander';
import { VERSION } from '../../platform/version.ts';
import { PROTOCOL_VERSION, SCHEMA_VERSION } from '../../protocol/events.ts';

/** `holdfast version` */
export function defineVersionCommand(command: Command): void {
  command.option('--json', 'as one JSON object').action((options: { json?: true }) => {
    const facts = {
      version: VERSION,
      protocol: PROTOCOL_VERSION,
      schema: SCHEMA_VERSION,
      node: process.versions.node,
    };
    process.stdout.write(
      options.json
        ? `${JSON.stringify(facts)}\n`
        : `holdfast ${facts.version} (protocol ${facts.protocol}, schema ${facts.schema}, node ${facts.node})\n`,
    );
  });
}
