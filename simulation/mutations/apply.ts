/** Breaks the product as a mutation says, while its sources are loaded; nothing on the disk changes. */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../arguments.ts';
import { MUTATIONS } from './mutations.ts';

/**
 * To be called before the product is imported. Throws UsageError for an unknown name, Error when the piece is not there
 * exactly once.
 */
export function applyMutation(name: string): void {
  const mutation = MUTATIONS.find((one) => one.name === name);
  if (mutation === undefined) {
    throw new UsageError(`no mutation ${name}; there are ${MUTATIONS.map((one) => one.name).join(', ')}`);
  }
  const target = new URL(`../../${mutation.file}`, import.meta.url).href;
  const source = readFileSync(fileURLToPath(target), 'utf8');
  if (source.split(mutation.find).length !== 2)
    throw new Error(`mutation ${name} no longer fits: its piece must stand in ${mutation.file} exactly once`);
  const mutated = source.replace(mutation.find, () => mutation.replace);
  registerHooks({
    load: (url, context, next) =>
      url === target
        ? { format: 'module-typescript', source: mutated, shortCircuit: true }
        : next(url, context),
  });
}
