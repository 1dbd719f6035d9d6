/** A component's settings as commander options, and the flags that were given as values for `loadSettings`. */
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { readTextFile } from '../../platform/text-file.ts';
import type { SettingsFile } from '../../settings/file.ts';
import type { Leaf } from '../../settings/leaves.ts';
import type { LoadRequest } from '../../settings/load.ts';

export type GivenSettings = Pick<LoadRequest<unknown>, 'flags' | 'file'>;

/** An option that stands for a setting. */
export class SettingOption extends Option {
  readonly leaf: Leaf;
  constructor(flags: string, description: string, leaf: Leaf) {
    super(flags, description);
    this.leaf = leaf;
    const [section, ...inner] = leaf.path.split('.');
    this.helpGroup(inner.length === 0 ? 'Settings:' : `Settings of ${section}:`);
  }
}

/** Adds `--config FILE` and one option a setting. */
export function addSettingOptions(command: Command, leaves: readonly Leaf[]): Command {
  command.addOption(new Option('--config <file>', 'YAML file with settings (environment: HOLDFAST_CONFIG)'));
  for (const leaf of leaves) command.addOption(optionOf(leaf));
  return command;
}

function optionOf(leaf: Leaf): SettingOption {
  const known = leaf.choices === null ? '' : ` (${leaf.choices.join(' | ')})`;
  const byDefault =
    leaf.defaultValue === undefined || leaf.defaultValue === ''
      ? ''
      : ` [${JSON.stringify(leaf.defaultValue)}]`;
  const description = `${leaf.description}${known}${byDefault}`;
  if (leaf.type === 'boolean') return new SettingOption(`${leaf.flag} [true|false]`, description, leaf);
  const value = leaf.type === 'number' ? 'n' : 'text';
  const option = new SettingOption(`${leaf.flag} <${value}>`, description, leaf);
  if (leaf.type === 'list') {
    option.argParser((text: string, before: readonly string[] | undefined) => [...(before ?? []), text]);
  }
  return option;
}

const givenSchema = z.record(
  z.string(),
  z.union([z.string(), z.boolean(), z.array(z.string()), z.undefined()]),
);

/** What the person gave: flags by dotted path, and the text of the configuration file. */
export function givenSettings(command: Command, leaves: readonly Leaf[]): GivenSettings {
  const options = givenSchema.parse(command.opts());
  const flags = new Map<string, string | boolean | readonly string[]>();
  for (const leaf of leaves) {
    const given = options[optionOf(leaf).attributeName()];
    if (given !== undefined) flags.set(leaf.path, given);
  }
  const name = options.config ?? process.env.HOLDFAST_CONFIG;
  return { flags, file: typeof name === 'string' && name.trim() !== '' ? readFile(name.trim()) : null };
}

/** Larger than any settings. */
const MAX_FILE_BYTES = 1024 * 1024;

function readFile(name: string): SettingsFile {
  const read = readTextFile(name, MAX_FILE_BYTES);
  return read.ok ? { name, text: read.text } : { name, unreadable: read.problem };
}
