/**
 * Effective settings of a component: flags > environment > file > preset > defaults, each with its origin.
 * Whatever cannot be understood is an error that names the setting, where it came from, and the nearest valid name.
 */
import { createRequire } from 'node:module';
import type { z } from 'zod';
import { errorText } from '../platform/error-text.ts';
import { nearestName } from '../platform/nearest.ts';
import { kindOf, plainError } from '../platform/plain-error.ts';
import { ENV_PREFIX, type Leaf, leavesOf } from './leaves.ts';
import { readValue } from './value.ts';

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

export type Origin = string;
export type Effective<T> = {
  readonly config: T;
  /** By dotted path: `default`, `preset lte`, `file holdfast.yaml`, `environment HOLDFAST_ID` or `flag --id`. */
  readonly origins: ReadonlyMap<string, Origin>;
  readonly leaves: readonly Leaf[];
};

export type LoadRequest<T> = {
  readonly schema: z.ZodType<T>;
  /** Values of flags that were given, by dotted path; text, or a list for repeatable ones, or true. */
  readonly flags: ReadonlyMap<string, string | boolean | readonly string[]>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly file: { readonly name: string; readonly text: string } | null;
  /** Settings by preset name; the setting `preset` chooses one. */
  readonly presets?: Readonly<Record<string, unknown>>;
  /** Variables that other components own; they are no error here. */
  readonly foreignEnvironment: ReadonlySet<string>;
  /** Relations between settings; each string is a problem. */
  readonly check: (config: T) => readonly string[];
};

/** `path`: the setting, or branch of settings, that is at fault; null: no setting of ours. */
type Problem = { readonly path: string | null; readonly text: string };
type Layer = ReadonlyMap<string, { readonly value: unknown; readonly origin: Origin }>;

/** Throws ConfigError with every problem found. */
export function loadSettings<T>(request: LoadRequest<T>): Effective<T> {
  const leaves = leavesOf(request.schema);
  const problems: Problem[] = [];
  const file = fileLayer(leaves, request.file, problems);
  const environment = environmentLayer(leaves, request, problems);
  const flags = flagLayer(leaves, request.flags, problems);
  const chosen = [flags, environment, file]
    .map((layer) => layer.get('preset'))
    .find((one) => one !== undefined);
  const preset = presetLayer(request.presets, chosen, leaves, problems);
  const merged = new Map([...preset, ...file, ...environment, ...flags]);
  const parse = () => {
    const tree: Record<string, unknown> = {};
    for (const [path, { value }] of merged) place(tree, path.split('.'), value);
    return request.schema.safeParse(withBranches(tree, leaves), { error: plainError });
  };
  let parsed = parse();
  if (!parsed.success) {
    for (const issue of strictest(parsed.error.issues)) {
      const path = issue.path.join('.');
      const owner = settingOf(issue.path, merged) ?? path;
      const text = `${path === '' ? 'settings' : path} (${merged.get(owner)?.origin ?? 'default'}): ${issue.message}`;
      // What is missing because what was given is at fault has been told.
      if (!problems.some((one) => one.path === owner)) problems.push({ path: owner, text });
    }
    for (const { path } of problems) if (path !== null) merged.delete(path);
    parsed = parse();
  }
  // Relations of what is right are looked at also alongside faults; a default in place of a fault contradicts nothing.
  const faulty = problems.flatMap(({ path }) => (path === null ? [] : [path]));
  const relations = parsed.success ? request.check(parsed.data) : [];
  const told = relations.filter((text) => !faulty.some((path) => text.includes(path)));
  const all = [...problems.map(({ text }) => text), ...told];
  if (all.length > 0 || !parsed.success) throw new ConfigError(all);
  const origins = new Map(leaves.map((leaf) => [leaf.path, merged.get(leaf.path)?.origin ?? 'default']));
  return { config: parsed.data, origins, leaves };
}

/** The setting that was given and holds what lies at `path`. */
function settingOf(path: readonly PropertyKey[], given: Layer): string | undefined {
  const paths = path.map((_, index) => path.slice(0, path.length - index).join('.'));
  return paths.find((one) => given.has(one));
}

/** Without bounds that a narrower one of the same setting says too; the narrower comes last. */
function strictest(issues: readonly z.core.$ZodIssue[]): readonly z.core.$ZodIssue[] {
  return issues.filter((issue, index) => {
    const isSame = (other: z.core.$ZodIssue) =>
      other.code === issue.code && other.path.join('.') === issue.path.join('.');
    const isBound = issue.code === 'too_big' || issue.code === 'too_small';
    return !isBound || !issues.slice(index + 1).some(isSame);
  });
}

function flagLayer(
  leaves: readonly Leaf[],
  flags: LoadRequest<unknown>['flags'],
  problems: Problem[],
): Layer {
  const layer = new Map<string, { value: unknown; origin: Origin }>();
  for (const [path, given] of flags) {
    const leaf = leaves.find((one) => one.path === path);
    if (leaf === undefined) continue;
    const origin = `flag ${leaf.flag}`;
    if (typeof given !== 'string') layer.set(path, { value: given, origin });
    else add(layer, leaf, given, origin, problems);
  }
  return layer;
}

function environmentLayer(
  leaves: readonly Leaf[],
  request: Pick<LoadRequest<never>, 'environment' | 'foreignEnvironment'>,
  problems: Problem[],
): Layer {
  const layer = new Map<string, { value: unknown; origin: Origin }>();
  const names = leaves.map((leaf) => leaf.env);
  for (const [name, text] of Object.entries(request.environment)) {
    if (!name.startsWith(ENV_PREFIX) || text === undefined) continue;
    const leaf = leaves.find((one) => one.env === name);
    if (leaf !== undefined) add(layer, leaf, text, `environment ${name}`, problems);
    else if (!request.foreignEnvironment.has(name)) {
      problems.push({
        path: null,
        text: `environment ${name}: no such setting${variableSuggestion(name, [...names, ...request.foreignEnvironment])}`,
      });
    }
  }
  return layer;
}

function fileLayer(leaves: readonly Leaf[], file: LoadRequest<unknown>['file'], problems: Problem[]): Layer {
  const layer = new Map<string, { value: unknown; origin: Origin }>();
  if (file === null) return layer;
  const origin = `file ${file.name}`;
  let document: unknown;
  try {
    document = loadYaml().parse(file.text);
  } catch (error) {
    // Its further lines show the text, where a secret may stand.
    const [reason] = errorText(error).split('\n');
    // Without the file nothing can be said of the rest.
    throw new ConfigError([`${origin}: not valid YAML: ${reason}`]);
  }
  if (document === null || document === undefined) return layer;
  if (typeof document !== 'object' || Array.isArray(document)) {
    throw new ConfigError([`${origin}: expected a mapping of settings at the top`]);
  }
  for (const [path, value] of flatten(document as Record<string, unknown>, leaves)) {
    const leaf = leaves.find((one) => one.path === path);
    const child = leaves.find((one) => one.path.startsWith(`${path}.`));
    if (child !== undefined) {
      // All that stood there may be commented out.
      if (value !== null)
        problems.push({
          path,
          text: `${origin}: "${path}" holds settings such as ${child.path}; expected a map, got ${kindOf(value)}`,
        });
    } else if (leaf === undefined) {
      problems.push({
        path: null,
        text: `${origin}: no setting "${path}"${suggestion(path, keysOf(leaves))}`,
      });
    } else if (typeof value === 'string' && leaf.type !== 'list') add(layer, leaf, value, origin, problems);
    else
      layer.set(path, { value: leaf.type === 'list' && typeof value === 'string' ? [value] : value, origin });
  }
  return layer;
}

/** Loaded only where there is a file: it takes a megabyte that an agent would hold for all its life. */
function loadYaml(): typeof import('yaml') {
  return createRequire(import.meta.url)('yaml');
}

function presetLayer(
  presets: LoadRequest<unknown>['presets'],
  setting: { readonly value: unknown; readonly origin: Origin } | undefined,
  leaves: readonly Leaf[],
  problems: Problem[],
): Layer {
  const chosen = setting?.value;
  if (presets === undefined || setting === undefined || typeof chosen !== 'string') return new Map();
  const preset = Object.hasOwn(presets, chosen) ? presets[chosen] : undefined;
  if (preset === undefined) {
    const names = Object.keys(presets);
    const valid = names.map((name) => `"${name}"`).join('|');
    problems.push({
      path: 'preset',
      text: `preset (${setting.origin}): no preset "${chosen}"; expected one of ${valid}${suggestion(chosen, names)}`,
    });
    return new Map();
  }
  const origin = `preset ${chosen}`;
  return new Map(
    flatten(preset as Record<string, unknown>, leaves).map(
      ([path, value]) => [path, { value, origin }] as const,
    ),
  );
}

/** `[dotted path, value]` of everything below `tree` that is not itself a branch of the settings. */
function flatten(tree: Record<string, unknown>, leaves: readonly Leaf[], prefix = ''): [string, unknown][] {
  return Object.entries(tree).flatMap(([key, value]): [string, unknown][] => {
    const path = `${prefix}${key}`;
    const isBranch = leaves.some((leaf) => leaf.path.startsWith(`${path}.`));
    if (isBranch && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return flatten(value as Record<string, unknown>, leaves, `${path}.`);
    }
    return [[path, value]];
  });
}

function add(
  layer: Map<string, { value: unknown; origin: Origin }>,
  leaf: Leaf,
  text: string,
  origin: Origin,
  problems: Problem[],
): void {
  const read = readValue(leaf, text);
  if (read.ok) layer.set(leaf.path, { value: read.value, origin });
  else problems.push({ path: leaf.path, text: `${leaf.path} (${origin}): ${read.problem}` });
}

function place(tree: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path;
  if (head === undefined) return;
  if (rest.length === 0) {
    tree[head] = value;
    return;
  }
  const branch = (tree[head] as Record<string, unknown> | undefined) ?? {};
  tree[head] = branch;
  place(branch, rest, value);
}

/** Nested objects must be there for their defaults to apply. */
function withBranches(tree: Record<string, unknown>, leaves: readonly Leaf[]): Record<string, unknown> {
  for (const { path } of leaves) {
    let node = tree;
    for (const part of path.split('.').slice(0, -1)) {
      node[part] ??= {};
      const next = node[part];
      if (typeof next !== 'object' || next === null) break;
      node = next as Record<string, unknown>;
    }
  }
  return tree;
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

/** Compares without the prefix that all of them share: it would make any two short names look alike. */
function variableSuggestion(name: string, valid: readonly string[]): string {
  const bare = (one: string) => (one.startsWith(ENV_PREFIX) ? one.slice(ENV_PREFIX.length) : one);
  const nearest = nearestName(bare(name), valid.map(bare));
  return nearest === null ? '' : `; did you mean "${ENV_PREFIX}${nearest}"?`;
}

function suggestion(name: string, valid: readonly string[]): string {
  const nearest = nearestName(name, valid);
  return nearest === null ? '' : `; did you mean "${nearest}"?`;
}
