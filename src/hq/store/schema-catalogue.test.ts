import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { encodeSamples, readHeader } from '../../protocol/frame-codec.ts';
import type { InternedSchema } from '../../protocol/sample.ts';
import { internSchema } from '../../protocol/schema-ref.ts';
import { EPOCH, START, sampleOf, schema } from './testing/frames.ts';
import { numbersOf } from './testing/read.ts';
import { KINDS, useStore } from './testing/use-store.ts';

const SCHEMAS = 2_345;

describe.each(KINDS)('the schemas of an agent in a store over %s', (kind) => {
  const at = useStore(kind);

  it('are all there after a restart, however many they are', async () => {
    const schemas = Array.from({ length: SCHEMAS }, (_, index) =>
      internSchema({ ...schema, boot: `b${index}` }),
    );
    for (const one of schemas) void firstValueFrom(at.store.putSchema('a1', one));
    const samples = schemas.map((one, index) => ({ ...sampleOf(index + 1), schema: one }));
    const bytes = encodeSamples({ epoch: EPOCH, firstSeq: 1, samples });
    const frame = { agent: 'a1', header: readHeader(bytes), bytes, arrivalTs: START, lane: 'live' } as const;
    await at.append(frame);
    await at.reopen();
    const query = { agent: 'a1', from: START, to: START + 1e9, limit: 10_000, cursor: null };
    const { items } = await firstValueFrom(at.store.samples(query));
    expect(items.filter(({ values }) => Object.keys(values).length === 2)).toHaveLength(SCHEMAS);
  });

  it('have each series once per source, few or many, also those that come later', async () => {
    const of = (count: number, source: string, boot: string) =>
      internSchema({
        source,
        boot,
        series: Array.from({ length: count }, (_, n) => ({ name: `m.${n}`, attributes: {}, unit: '' })),
      });
    const sizeWith = async (...schemas: readonly InternedSchema[]) => {
      for (const one of schemas) await firstValueFrom(at.store.putSchema('many', one));
      return (await firstValueFrom(at.store.seriesKeys('many'))).size;
    };
    expect(await sizeWith(of(10, 'a', '1'), of(10, 'a', '2'), of(5, 'b', '1'))).toBe(15);
    expect(await sizeWith(of(4_000, 'a', '3'))).toBe(4_005);
    expect(await sizeWith(of(4_096, 'a', '4'), of(4_096, 'a', '5'))).toBe(4_101);
    await at.reopen();
    expect(await sizeWith()).toBe(4_101);
    expect((await numbersOf(at.store, 'many')).seriesCount).toBe(4_101);
    expect(await firstValueFrom(at.store.series('many'))).toHaveLength(4_101);
  });
});
