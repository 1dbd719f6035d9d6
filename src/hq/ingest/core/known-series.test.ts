import { firstValueFrom, of } from 'rxjs';
import { expect, it } from 'vitest';
import { internSchema } from '../../../protocol/schema-ref.ts';
import type { SchemaSize } from '../../store/store.ts';
import { createKnownSeries } from './known-series.ts';

const schemaOf = (count: number, boot = 'b') =>
  internSchema({
    source: 's',
    boot,
    series: Array.from({ length: count }, (_, index) => ({ name: `m.${index}`, attributes: {}, unit: '' })),
  });

it('lets an agent bring so many new schemas, and more of them with time, although it has no new series', async () => {
  let nowMs = 0;
  const series = createKnownSeries({
    store: { seriesKeys: () => of(new Set<string>()), schemas: () => of([]) },
    clock: { precise: () => nowMs },
    maxSeries: 10_000,
    maxSchemas: 100,
  });
  const bring = async (agent: string) => {
    const places = await firstValueFrom(series.claim(agent, [schemaOf(4_096)]));
    if (places.ok) places.end(true);
    return places;
  };
  for (let schema = 0; schema < 9; schema += 1) expect(await bring('a1')).toMatchObject({ ok: true });
  const refused = await bring('a1');
  expect(refused).toMatchObject({ ok: false, waitMs: expect.any(Number) });
  expect(await bring('a2')).toMatchObject({ ok: true });
  nowMs += 'waitMs' in refused ? refused.waitMs : 0;
  expect(await bring('a1')).toMatchObject({ ok: true });
});

it('bounds the schemas of an agent, and the series in all of them, also of claims at once', async () => {
  const stored: SchemaSize[] = [];
  const series = createKnownSeries({
    store: { seriesKeys: () => of(new Set<string>()), schemas: () => of(stored) },
    clock: { precise: () => 0 },
    maxSeries: 100,
    maxSchemas: 3,
  });
  const claim = (...schemas: readonly ReturnType<typeof schemaOf>[]) =>
    firstValueFrom(series.claim('a1', schemas));
  stored.push({ ref: schemaOf(1).ref, series: 1 });
  const held = await claim(schemaOf(1, 'b2'), schemaOf(1, 'b3'));
  expect(held).toMatchObject({ ok: true });
  const beyond = { ok: false, what: 'schemas', count: 4, max: 3 };
  expect(await claim(schemaOf(1, 'b4'))).toEqual(beyond);
  expect(await claim(schemaOf(1, 'b3')), 'one of those that are under way').toMatchObject({ ok: true });
  if (held.ok) held.end(false);
  expect(await claim(schemaOf(1, 'b4'))).toMatchObject({ ok: true });

  stored.splice(0, 1, { ref: schemaOf(90, 'b5').ref, series: 40 * 100 - 50 });
  expect(await firstValueFrom(series.claim('a2', [schemaOf(60)]))).toEqual({
    ...{ ok: false, what: 'series in its schemas', count: 4_010, max: 4_000 },
  });
});
