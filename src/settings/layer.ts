/** What one place says of the settings: the flags, the environment, a file or a preset. */
import type { Leaf } from './leaves.ts';
import { readValue } from './value.ts';

/** `default`, `preset lte`, `file holdfast.yaml`, `environment HOLDFAST_ID` or `flag --id`. */
export type Origin = string;

/** By dotted path. */
export type Layer = Map<string, { readonly value: unknown; readonly origin: Origin }>;

/** `path`: the setting, or branch of settings, that is at fault; null: no setting of ours. */
export type Problem = { readonly path: string | null; readonly text: string };

/** Takes the text that was given for a setting, or tells what is wrong with it. */
export function add(layer: Layer, leaf: Leaf, text: string, origin: Origin, problems: Problem[]): void {
  const read = readValue(leaf, text);
  if (read.ok) layer.set(leaf.path, { value: read.value, origin });
  else problems.push({ path: leaf.path, text: `${leaf.path} (${origin}): ${read.problem}` });
}

/** `[dotted path, value]` of everything below `tree` that is not itself a branch of the settings. */
export function flatten(
  tree: Readonly<Record<string, unknown>>,
  leaves: readonly Leaf[],
  prefix = '',
): [string, unknown][] {
  return Object.entries(tree).flatMap(([key, value]): [string, unknown][] => {
    const path = `${prefix}${key}`;
    const isBranch = leaves.some((leaf) => leaf.path.startsWith(`${path}.`));
    if (isBranch && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return flatten(value as Record<string, unknown>, leaves, `${path}.`);
    }
    return [[path, value]];
  });
}
