/**
 * What a session knows without a question to the store: loaded at hello, kept current by what it does itself. While it
 * holds the lease nobody else accounts for seqs of its epoch, so its coverage is what the store has shown; it never
 * says more. A commit that got through although it was said to have failed shows with the next outcome. A schema that
 * the agent has by HTTP meanwhile is asked for again.
 */
import { type Coverage, coveredCount } from '../../../protocol/coverage.ts';
import type { SchemaRef } from '../../../protocol/sample.ts';
import type { SchemaSize } from '../../store/store.ts';

export type SessionView = {
  readonly coverage: () => Coverage;
  /** The outcome of a frame tells what is held now. Outcomes come in the order of their commits. */
  readonly moved: (coverage: Coverage) => void;
  /** How many series the schema has; undefined when the agent has no such schema. */
  readonly seriesOf: (ref: SchemaRef) => number | undefined;
  readonly addSchema: (schema: SchemaSize) => void;
};

export type Loaded = { readonly coverage: Coverage; readonly schemas: readonly SchemaSize[] };

/** `before`: the view of an earlier hello of this session for the same epoch. */
export function createSessionView(loaded: Loaded, before: SessionView | null): SessionView {
  const schemas = new Map(loaded.schemas.map(({ ref, series }) => [ref, series]));
  let { coverage } = loaded;
  // A frame that was committed behind the note may have been answered before it.
  if (before !== null && coveredCount(before.coverage()) > coveredCount(coverage))
    coverage = before.coverage();
  return {
    coverage: () => coverage,
    moved: (now) => {
      coverage = now;
    },
    seriesOf: (ref) => schemas.get(ref),
    addSchema: ({ ref, series }) => void schemas.set(ref, series),
  };
}
