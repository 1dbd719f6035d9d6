import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { encodeSamples, readHeader } from '../../protocol/frame-codec.ts';
import { internSchema } from '../../protocol/schema-ref.ts';
import { EPOCH, START, sampleOf, schema } from './testing/frames.ts';
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
});
