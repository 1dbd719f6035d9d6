/**
 * Effective settings of a component: flags > environment > file > preset > defaults, each with its origin.
 * Whatever cannot be understood is an error that names the setting, where it came from, and the nearest valid name.
 */
import type { z } from 'zod';
import { plainError } from '../platform/plain-error.ts';
import { type Environment, environmentLayer, fallbackLayer } from './environment.ts';
import { fileLayer, type SettingsFile, suggestion } from './file.ts';
import { add, flatten, type Layer, type Origin, type Problem } from './layer.ts';
import { type Leaf, leavesOf } from './leaves.ts';

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

export type Effective<T> = {
  readonly config: T;
  /** By dotted path. */
  readonly origins: ReadonlyMap<string, Origin>;
  readonly leaves: readonly Leaf[];
  /** Variables that look like settings and are those of a Kubernetes Service or a Docker link. */
  readonly ignored: readonly string[];
};

export type LoadRequest<T> = {
  readonly schema: z.ZodType<T>;
  /** Values of flags that were given, by dotted path; text, or a list for repeatable ones, or true. */
  readonly flags: ReadonlyMap<string, string | boolean | readonly string[]>;
  readonly environment: Environment;
  readonly file: SettingsFile | null;
  /** Settings by preset name; the setting `preset` chooses one. */
  readonly presets?: Readonly<Record<string, unknown>>;
  /** Variables that other components own; they are no error here. */
  readonly foreignEnvironment: ReadonlySet<string>;
  /** Relations between settings; each string is a problem. */
  readonly check: (config: T) => readonly string[];
};

/** Throws ConfigError with every problem found. */
export function loadSettings<T>(request: LoadRequest<T>): Effective<T> {
  const leaves = leavesOf(request.schema);
  const problems: Problem[] = [];
  const file = request.file === null ? new Map() : fileLayer(leaves, request.file, problems);
  const { environment, foreignEnvironment } = request;
  const { layer: variables, ignored } = environmentLayer(leaves, environment, foreignEnvironment, problems);
  const flags = flagLayer(leaves, request.flags, problems);
  const given: Layer = new Map([...(file ?? []), ...variables, ...flags]);
  const fallbacks = fallbackLayer(leaves, environment, given, problems);
  const preset = presetLayer(request.presets, given.get('preset'), leaves, problems);
  const merged: Layer = new Map([...preset, ...fallbacks, ...given]);
  const parse = () => {
    const tree: Record<string, unknown> = {};
    for (const [path, { value }] of merged) place(tree, path.split('.'), value);
    return request.schema.safeParse(withBranches(tree, leaves), { error: plainError });
  };
  let parsed = parse();
  if (!parsed.success) {
    const before = new Set(problems.map(({ path }) => path));
    for (const issue of strictest(parsed.error.issues)) {
      const path = issue.path.join('.');
      const owner = settingOf(issue.path, merged) ?? path;
      const text = `${path === '' ? 'settings' : path} (${merged.get(owner)?.origin ?? 'default'}): ${issue.message}`;
      // What is missing because what was given is at fault has been told.
      if (!before.has(owner)) problems.push({ path: owner, text });
    }
    const items = withoutFaultyItems(merged, parsed.error.issues);
    for (const { path } of problems) if (path !== null && !items.has(path)) merged.delete(path);
    for (const [path, entry] of items) merged.set(path, entry);
    parsed = parse();
  }
  // Relations of what is right are looked at also alongside faults; a default in place of a fault contradicts nothing.
  const faulty = problems.flatMap(({ path }) => (path === null || merged.has(path) ? [] : [path]));
  // A file that cannot be read may hold what would make them true.
  const relations = parsed.success && file !== null ? request.check(parsed.data) : [];
  const told = relations.filter((text) => !faulty.some((path) => text.includes(path)));
  const all = [...problems.map(({ text }) => text), ...told];
  if (all.length > 0 || !parsed.success) throw new ConfigError(all);
  const origins = new Map(leaves.map((leaf) => [leaf.path, merged.get(leaf.path)?.origin ?? 'default']));
  return { config: parsed.data, origins, leaves, ignored };
}

/** Lists of which some items are at fault, with the others: what is wrong with those is to be told, too. */
function withoutFaultyItems(given: Layer, issues: readonly z.core.$ZodIssue[]): Layer {
  const lists: Layer = new Map();
  for (const [path, entry] of given) {
    if (!Array.isArray(entry.value)) continue;
    const depth = path.split('.').length;
    const own = issues.filter((issue) => issue.path.slice(0, depth).join('.') === path);
    const faulty = new Set(own.map((issue) => issue.path[depth]));
    if (own.length === 0 || faulty.has(undefined)) continue;
    const rest = entry.value.filter((_, index) => !faulty.has(index));
    if (rest.length > 0) lists.set(path, { ...entry, value: rest });
  }
  return lists;
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
  const layer: Layer = new Map();
  for (const [path, given] of flags) {
    const leaf = leaves.find((one) => one.path === path);
    if (leaf === undefined) continue;
    const origin = `flag ${leaf.flag}`;
    if (typeof given === 'string') add(layer, leaf, given, origin, problems);
    else
      layer.set(path, { value: typeof given === 'boolean' ? given : given.map((one) => one.trim()), origin });
  }
  return layer;
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
