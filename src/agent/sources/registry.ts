/** Makes sources of their specs. */
import { SOURCES } from './kinds.ts';
import type { Source, SourceEnv } from './source.ts';
import { type SourceSpec, SourceSpecError, type SourceSpecs } from './spec.ts';

type Create = {
  readonly [K in keyof SourceSpecs]: {
    readonly create: (spec: SourceSpecs[K], name: string, env: SourceEnv) => Source;
  };
};
const CREATE: Create = SOURCES;

/** One source; `name` defaults to the spec's own or its kind. Starts nothing. */
export function createSource(
  spec: SourceSpec,
  env: SourceEnv,
  name: string = spec.name ?? spec.kind,
): Source {
  return createOf(spec.kind, spec, name, env);
}

function createOf<K extends keyof SourceSpecs>(
  kind: K,
  spec: SourceSpecs[K],
  name: string,
  env: SourceEnv,
): Source {
  return CREATE[kind].create(spec, name, env);
}

/**
 * The sources of an agent under distinct names: `sim`, `sim-2` … by place in the list, so that a name stays the same
 * over restarts of an unchanged configuration. Throws SourceSpecError when two specs ask for the same name.
 */
export function createSources(specs: readonly SourceSpec[], env: SourceEnv): readonly Source[] {
  const taken = new Set<string>();
  for (const { name } of specs) {
    if (name === undefined) continue;
    if (taken.has(name)) throw new SourceSpecError(`two sources are named \`${name}\``);
    taken.add(name);
  }
  return specs.map((spec) => {
    const name = spec.name ?? freeName(spec.kind, taken);
    taken.add(name);
    return createSource(spec, env, name);
  });
}

function freeName(kind: string, taken: ReadonlySet<string>): string {
  if (!taken.has(kind)) return kind;
  let number = 2;
  while (taken.has(`${kind}-${number}`)) number += 1;
  return `${kind}-${number}`;
}
