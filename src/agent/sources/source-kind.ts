/** What a kind of source consists of: its options, how it is explained, and how one is made. */
import type { z } from 'zod';
import type { Source, SourceEnv } from './source.ts';

export type SourceKind<S extends z.ZodObject> = {
  /** Its options, `kind` and `name` among them. */
  readonly schema: S;
  /** For docs/configuration.md: what it does, as the rest of a sentence, and a spec that is valid. */
  readonly what: string;
  readonly example: string;
  /** Starts nothing. */
  readonly create: (spec: z.infer<S>, name: string, env: SourceEnv) => Source;
};

export function sourceKind<S extends z.ZodObject>(kind: SourceKind<S>): SourceKind<S> {
  return kind;
}
