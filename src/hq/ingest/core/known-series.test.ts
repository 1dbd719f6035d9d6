import { firstValueFrom, of } from 'rxjs';
import { expect, it } from 'vitest';
import { createKnownSeries } from './known-series.ts';

const schemaOf = (count: number) => ({
  source: 's',
  series: Array.from({ length: count }, (_, index) => ({ name: `m.${index}`, attributes: {}, unit: '' })),
});

it('lets an agent bring so many new schemas, and more of them with time, although it has no new series', async () => {
  let nowMs = 0;
  const series = createKnownSeries({
    store: { seriesKeys: () => of(new Set<string>()) },
    clock: { precise: () => nowMs },
    maxSeries: 10_000,
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
