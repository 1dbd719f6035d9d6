/**
 * What a session knows without a question to the store: loaded at hello, kept current by what it does itself. While it
 * holds the lease nobody else accounts for seqs of its epoch, so its coverage is what the store has shown; it never
 * says more. A commit that got through although it was said to have failed shows with the next outcome, or when the
 * store is asked again. A schema that the agent has by HTTP meanwhile is asked for again.
 */
import { type Coverage, coveredCount } from '../../../protocol/coverage.ts';
import type { SchemaRef } from '../../../protocol/sample.ts';
import type { SchemaSize } from '../../store/store.ts';

export type SessionView = {
  readonly coverage: () => Coverage;
  /** The outcome of a frame tells what is held now. Outcomes come in the order of their commits. */
  readonly moved: (coverage: Coverage) => void;
  /** The store has been asked: gives what is held now, which may have moved beyond its answer. */
  readonly found: (coverage: Coverage) => Coverage;
  /** How many series the schema has; undefined when the agent has no such schema. */
  readonly seriesOf: (ref: SchemaRef) => number | undefined;
  readonly addSchema: (schema: SchemaSize) => void;
};

export type Loaded = { readonly coverage: Coverage; readonly schemas: readonly SchemaSize[] };

/** `before`: the view of an earlier hello of this session for the same epoch. */
export function createSessionView(loaded: Loaded, before: SessionView | null): SessionView {
  const schemas = new Map(loaded.schemas.map(({ ref, series }) => [ref, series]));
  // A frame that was committed behind the note may have been answered before it.
  let coverage = before === null ? loaded.coverage : larger(before.coverage(), loaded.coverage);
  return {
    coverage: () => coverage,
    moved: (now) => {
      coverage = now;
    },
    found: (asked) => {
      coverage = larger(coverage, asked);
      return coverage;
    },
    seriesOf: (ref) => schemas.get(ref),
    addSchema: ({ ref, series }) => void schemas.set(ref, series),
  };
}

/** Of two states of one coverage, which only ever grows. */
function larger(a: Coverage, b: Coverage): Coverage {
  return a !== b && coveredCount(b) > coveredCount(a) ? b : a;
}
