import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Schema, schemaRefSchema, schemaSchema } from './sample.ts';
import { canonicalSchemaText, internSchema, schemaRefOf } from './schema-ref.ts';

const wordArb = fc.string({ minLength: 1, maxLength: 8 });
const schemaArb: fc.Arbitrary<Schema> = fc.record({
  source: wordArb,
  boot: wordArb,
  series: fc.array(
    fc.record({
      name: wordArb,
      attributes: fc.dictionary(wordArb, wordArb, { maxKeys: 4 }),
      unit: fc.string({ maxLength: 4 }),
    }),
    { maxLength: 5 },
  ),
});

/** The same schema with the attributes of every series written in another order. */
function shuffled(schema: Schema): Schema {
  return {
    ...schema,
    series: schema.series.map((one) => ({
      ...one,
      attributes: Object.fromEntries(Object.entries(one.attributes).reverse()),
    })),
  };
}

describe('the address of a schema', () => {
  it('is twelve hex digits of the hash of its canonical text', () => {
    fc.assert(
      fc.property(schemaArb, (schema) => {
        const ref = schemaRefOf(schema);
        expect(schemaRefSchema.parse(ref)).toBe(ref);
        const digest = createHash('sha256').update(canonicalSchemaText(schema)).digest('hex');
        expect(digest.startsWith(ref)).toBe(true);
      }),
    );
  });

  it('does not depend on the order of attributes, nor on a trip through JSON', () => {
    fc.assert(
      fc.property(schemaArb, (schema) => {
        expect(schemaRefOf(shuffled(schema))).toBe(schemaRefOf(schema));
        const parsed = schemaSchema.safeParse(JSON.parse(JSON.stringify(schema)));
        if (parsed.success) expect(schemaRefOf(parsed.data)).toBe(schemaRefOf(schema));
      }),
    );
  });

  it('changes with everything that it stands for', () => {
    const series = { name: 'a', attributes: { k: 'v' }, unit: '1' };
    const schema: Schema = { source: 'host', boot: 'b', series: [series, { ...series, name: 'b' }] };
    const others: Schema[] = [
      { ...schema, source: 'sim' },
      { ...schema, boot: 'c' },
      { ...schema, series: [...schema.series].reverse() },
      { ...schema, series: [series] },
      {
        ...schema,
        series: [
          { ...series, unit: 's' },
          { ...series, name: 'b' },
        ],
      },
      {
        ...schema,
        series: [
          { ...series, attributes: { k: 'w' } },
          { ...series, name: 'b' },
        ],
      },
      {
        ...schema,
        series: [
          { ...series, attributes: {} },
          { ...series, name: 'b' },
        ],
      },
    ];
    const refs = [schema, ...others].map(schemaRefOf);
    expect(new Set(refs).size).toBe(refs.length);
  });

  it('never changes for a schema that is already out there', () => {
    const schema: Schema = {
      source: 'host',
      boot: 'boot-1',
      series: [
        { name: 'system.network.io', attributes: { device: 'eth0', direction: 'receive' }, unit: 'By' },
        { name: 'system.memory.usage', attributes: {}, unit: 'By' },
      ],
    };
    expect(canonicalSchemaText(schema)).toBe(
      '["host","boot-1",[["system.network.io",[["device","eth0"],["direction","receive"]],"By"],["system.memory.usage",[],"By"]]]',
    );
    expect(schemaRefOf(schema)).toBe('51f7057d10b8');
  });

  it('stands on the interned schema, which cannot be changed', () => {
    const interned = internSchema({ source: 'host', boot: 'b', series: [] });
    expect(interned.ref).toBe(schemaRefOf(interned));
    expect(Object.isFrozen(interned)).toBe(true);
  });
});
