/** The settings that environment variables give. */
import { nearestName } from '../platform/nearest.ts';
import { add, type Layer, type Problem } from './layer.ts';
import { ENV_PREFIX, type Leaf } from './leaves.ts';
import { serviceVariables } from './service-variables.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export type ReadEnvironment = {
  readonly layer: Layer;
  /** Variables with our prefix that a Kubernetes Service or a Docker link has brought: no settings. */
  readonly ignored: readonly string[];
};

/** A variable without a text counts as none. `foreign`: what other components own, which is no error here. */
export function environmentLayer(
  leaves: readonly Leaf[],
  environment: Environment,
  foreign: ReadonlySet<string>,
  problems: Problem[],
): ReadEnvironment {
  const layer: Layer = new Map();
  const names = [...leaves.map((leaf) => leaf.env), ...foreign];
  const ofServices = serviceVariables(environment);
  const ignored: string[] = [];
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(ENV_PREFIX) || isUnset(text)) continue;
    const leaf = leaves.find((one) => one.env === name);
    if (ofServices.has(name)) ignored.push(name);
    else if (leaf !== undefined) add(layer, leaf, text, `environment ${name}`, problems);
    else if (!foreign.has(name))
      problems.push({
        path: null,
        text: `environment ${name}: no such setting${variableSuggestion(name, names)}`,
      });
  }
  return { layer, ignored };
}

/** Settings from the variables that another component calls them by, where nothing that is `given` says the same. */
export function fallbackLayer(
  leaves: readonly Leaf[],
  environment: Environment,
  given: Layer,
  problems: Problem[],
): Layer {
  const layer: Layer = new Map();
  for (const leaf of leaves) {
    if (leaf.fallback === null) continue;
    const { variable, unless } = leaf.fallback;
    const text = environment[variable];
    if (isUnset(text) || [leaf.path, ...unless].some((path) => given.has(path))) continue;
    add(layer, leaf, text, `environment ${variable}`, problems);
  }
  return layer;
}

function isUnset(text: string | undefined): text is undefined | '' {
  return text === undefined || text.trim() === '';
}

/** Compares without the prefix that all of them share: it would make any two short names look alike. */
function variableSuggestion(name: string, valid: readonly string[]): string {
  const bare = (one: string) => (one.startsWith(ENV_PREFIX) ? one.slice(ENV_PREFIX.length) : one);
  const nearest = nearestName(bare(name), valid.map(bare));
  return nearest === null ? '' : `; did you mean "${ENV_PREFIX}${nearest}"?`;
}
