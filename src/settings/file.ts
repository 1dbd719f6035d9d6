/** The settings that a YAML file gives. */
import { createRequire } from 'node:module';
import { errorText } from '../platform/error-text.ts';
import { nearestName } from '../platform/nearest.ts';
import { kindOf } from '../platform/plain-error.ts';
import { add, flatten, type Layer, type Problem } from './layer.ts';
import type { Leaf } from './leaves.ts';

/** A file that was asked for: its text, or why it cannot be read. */
export type SettingsFile = { readonly name: string } & (
  | { readonly text: string }
  | { readonly unreadable: string }
);

/** Null when the file is of no use at all, which is a problem: nothing can be said of what would stand in it. */
export function fileLayer(leaves: readonly Leaf[], file: SettingsFile, problems: Problem[]): Layer | null {
  const origin = `file ${file.name}`;
  const give = (text: string) => {
    problems.push({ path: null, text });
    return null;
  };
  if ('unreadable' in file)
    return give(`cannot read the configuration file ${file.name}: ${file.unreadable}`);
  let document: unknown;
  try {
    document = loadYaml().parse(file.text, { logLevel: 'error' });
  } catch (error) {
    // Its further lines show the text, where a secret may stand.
    const [reason] = errorText(error).split('\n');
    return give(`${origin}: not valid YAML: ${reason}`);
  }
  const layer: Layer = new Map();
  if (document === null || document === undefined) return layer;
  if (typeof document !== 'object' || Array.isArray(document))
    return give(`${origin}: expected a mapping of settings at the top, such as "id: vessel-7"`);
  for (const [path, value] of flatten(document as Record<string, unknown>, leaves))
    take(layer, leaves, { path, value, origin }, problems);
  return layer;
}

function take(
  layer: Layer,
  leaves: readonly Leaf[],
  given: { readonly path: string; readonly value: unknown; readonly origin: string },
  problems: Problem[],
): void {
  const { path, value, origin } = given;
  const leaf = leaves.find((one) => one.path === path);
  const child = leaves.find((one) => one.path.startsWith(`${path}.`));
  if (child !== undefined) {
    // All that stood there may be commented out.
    if (value === null) return;
    const text = `${path} (${origin}): must be a section, with settings such as ${child.path}; got ${kindOf(value)}`;
    problems.push({ path, text });
  } else if (leaf === undefined) {
    const text = `${origin}: no setting "${path}"${keySuggestion(path, keysOf(leaves))}`;
    problems.push({ path: null, text });
  } else if (typeof value !== 'string') layer.set(path, { value, origin });
  else if (leaf.type === 'list') layer.set(path, { value: [value], origin });
  else add(layer, leaf, value, origin, problems);
}

/** Loaded only where there is a file: it takes a megabyte that an agent would hold for all its life. */
function loadYaml(): typeof import('yaml') {
  return createRequire(import.meta.url)('yaml');
}

/** Everything that may stand in a file: settings, and the branches that hold them. */
function keysOf(leaves: readonly Leaf[]): readonly string[] {
  const keys = new Set<string>();
  for (const { path } of leaves) {
    const parts = path.split('.');
    for (let count = 1; count <= parts.length; count += 1) keys.add(parts.slice(0, count).join('.'));
  }
  return [...keys];
}

/** Within a section its own name does not count: it would make any two names look alike. */
function keySuggestion(path: string, valid: readonly string[]): string {
  const section = path.slice(0, path.lastIndexOf('.') + 1);
  const within = valid.filter((one) => section !== '' && one.startsWith(section));
  if (within.length === 0) return suggestion(path, valid);
  const nearest = nearestName(
    path.slice(section.length),
    within.map((one) => one.slice(section.length)),
  );
  return nearest === null ? '' : `; did you mean "${section}${nearest}"?`;
}

/** `; did you mean …?`, where a valid name is near. */
export function suggestion(name: string, valid: readonly string[]): string {
  const nearest = nearestName(name, valid);
  return nearest === null ? '' : `; did you mean "${nearest}"?`;
}
