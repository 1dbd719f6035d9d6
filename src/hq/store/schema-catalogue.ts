/** Schemas of each agent, read from the storage at first use and kept. */

import { type InternedSchema, type SchemaRef, schemaSchema } from '../../protocol/sample.ts';
import { internSchema } from '../../protocol/schema-ref.ts';
import { seriesKey, sourceSeriesKey } from '../../protocol/series-key.ts';
import { readPage } from '../../storage/read-page.ts';
import type { Entry, Storage } from '../../storage/storage.ts';
import { parseJson, toJson } from './epoch-state.ts';
import { agentRange, parseSchemaRef, schemaKey } from './keys.ts';
import type { Transaction } from './transactions.ts';

export type SchemaCatalogue = {
  readonly get: (agent: string, ref: SchemaRef) => InternedSchema | undefined;
  readonly all: (agent: string) => ReadonlyMap<SchemaRef, InternedSchema>;
  /** Keys of the series of all its schemas, each once per source. It goes on with what is learnt: not to be kept. */
  readonly sourceKeys: (agent: string) => ReadonlySet<string>;
  /** How many those are. */
  readonly seriesCount: (agent: string) => number;
  /** Writes the schema within a transaction; `learn` it once that is flushed. */
  readonly write: (transaction: Transaction, agent: string, schema: InternedSchema) => void;
  readonly learn: (agent: string, schema: InternedSchema) => void;
  /** Its schemas have been removed. */
  readonly forget: (agent: string) => void;
  /** Keys of the series of a schema, in its order. */
  readonly keys: (schema: InternedSchema) => readonly string[];
  /** Position of a series in a schema; −1 when it has none of that name. */
  readonly position: (schema: InternedSchema, series: string) => number;
};

const PAGE = 1_000;
/** The keys of an agent with more series in its schemas are kept: making them again would hold others up. */
const MANY_SERIES = 1_000;

type OfAgent = {
  readonly schemas: Map<SchemaRef, InternedSchema>;
  /** Null: to be made when somebody asks. */
  keys: Set<string> | null;
  count: number | null;
};

export function createSchemaCatalogue(storage: Storage): SchemaCatalogue {
  const agents = new Map<string, OfAgent>();
  const keys = new WeakMap<InternedSchema, readonly string[]>();
  const positions = new WeakMap<InternedSchema, ReadonlyMap<string, number>>();

  /** All of them: samples of a schema that was left out could not be read. */
  function* entriesOf(agent: string): Generator<Entry, void> {
    const range = agentRange('S', agent);
    for (let { from } = range; ; ) {
      const { entries, next } = storage.read((reader) => readPage(reader, { ...range, from, limit: PAGE }));
      yield* entries;
      if (next === null) return;
      from = next;
    }
  }

  function of(agent: string): OfAgent {
    const known = agents.get(agent);
    if (known !== undefined) return known;
    const schemas = new Map<SchemaRef, InternedSchema>();
    for (const { key, value } of entriesOf(agent)) {
      const parsed = schemaSchema.safeParse(parseJson(value));
      // A schema that is not what its address says is as good as missing: the agent is asked for it again.
      if (!parsed.success) continue;
      const schema = internSchema(parsed.data);
      if (schema.ref === parseSchemaRef(key)) schemas.set(schema.ref, schema);
    }
    const entry: OfAgent = { schemas, keys: null, count: null };
    agents.set(agent, entry);
    return entry;
  }

  const keysOf = (schema: InternedSchema): readonly string[] => {
    const known = keys.get(schema);
    if (known !== undefined) return known;
    const made = schema.series.map(seriesKey);
    keys.set(schema, made);
    return made;
  };
  const addKeys = (into: Set<string>, schema: InternedSchema) => {
    for (const key of keysOf(schema)) into.add(sourceSeriesKey(schema.source, key));
  };

  const sourceKeys = (agent: string): ReadonlySet<string> => {
    const entry = of(agent);
    if (entry.keys !== null) return entry.keys;
    const keys = new Set<string>();
    let series = 0;
    for (const schema of entry.schemas.values()) {
      addKeys(keys, schema);
      series += schema.series.length;
    }
    if (series > MANY_SERIES) entry.keys = keys;
    return keys;
  };

  return {
    keys: keysOf,
    get: (agent, ref) => of(agent).schemas.get(ref),
    all: (agent) => of(agent).schemas,
    sourceKeys,
    seriesCount: (agent) => {
      const entry = of(agent);
      entry.count ??= sourceKeys(agent).size;
      return entry.count;
    },
    write: ({ writer }, agent, { source, boot, series, ref }) =>
      writer.put(schemaKey(agent, ref), toJson({ source, boot, series })),
    learn: (agent, schema) => {
      const entry = of(agent);
      entry.schemas.set(schema.ref, schema);
      entry.count = null;
      if (entry.keys !== null) addKeys(entry.keys, schema);
    },
    forget: (agent) => void agents.delete(agent),
    position: (schema, series) => {
      let known = positions.get(schema);
      if (known === undefined) {
        known = new Map(keysOf(schema).map((key, index) => [key, index]));
        positions.set(schema, known);
      }
      return known.get(series) ?? -1;
    },
  };
}
