/** Reads over HTTP what was delivered; an HQ without such an address is not judged by it. */
import { z } from 'zod';
import type { Sample } from '../../src/protocol/sample.ts';
import { seriesKey } from '../../src/protocol/series-key.ts';
import { expectThat, Skipped } from '../report.ts';
import { pause } from '../wire/client.ts';
import type { HqContext } from './context.ts';

const pageSchema = z.object({
  items: z.array(
    z.looseObject({
      seq: z.number(),
      values: z.record(z.string(), z.union([z.number(), z.string(), z.null()])),
    }),
  ),
});

/** NaN, infinities and −0 are texts there. */
const written = (value: number): number | string =>
  Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? '-0' : String(value);

export async function readBack(context: HqContext, agent: string, samples: readonly Sample[]): Promise<void> {
  const { url, operatorToken, timeoutMs } = context;
  const headers = operatorToken === null ? {} : { authorization: `Bearer ${operatorToken}` };
  const address = `${url.replace(/\/$/, '')}/api/v1/agents/${agent}/samples?from=0&limit=100`;
  const end = performance.now() + timeoutMs;
  for (;;) {
    const response = await fetch(address, { headers });
    if ([401, 403].includes(response.status)) throw new Skipped('reading needs --operator-token-file');
    if (response.status === 404 && performance.now() > end) throw new Skipped('this HQ has no such address');
    const page = response.ok ? pageSchema.parse(await response.json()) : { items: [] };
    if (page.items.length < samples.length && performance.now() < end) {
      await pause(50);
      continue;
    }
    expectThat(page.items.length === samples.length, `${samples.length} samples`, page);
    for (const { seq, values } of page.items) {
      const sample = samples[seq - 1];
      for (const [index, series] of (sample?.schema.series ?? []).entries()) {
        const [value, found] = [sample?.values[index] ?? null, values[seriesKey(series)]];
        const wanted = value === null ? undefined : written(value);
        expectThat(found === wanted, `seq ${seq}, ${seriesKey(series)}: ${String(wanted)}`, String(found));
      }
    }
    return;
  }
}
