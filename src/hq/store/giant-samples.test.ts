/** Samples of thousands of values, of which a frame of a few bytes holds thousands. */
import { firstValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import type { SampleDocument } from '../../protocol/api.ts';
import { encodeSamples, readHeader } from '../../protocol/frame-codec.ts';
import { internSchema } from '../../protocol/schema-ref.ts';
import { createMemoryDisk, createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import type { QueryContext } from './query-context.ts';
import { PAGE_BYTES, querySamples } from './query-samples.ts';
import { createSchemaCatalogue } from './schema-catalogue.ts';
import type { AgentFrame, Page } from './store.ts';
import { closeStore, EPOCH, openStore, START, schema as small } from './testing/frames.ts';

const SERIES = 4_096;
const giant = internSchema({
  source: 'giant',
  boot: 'b',
  series: Array.from({ length: SERIES }, (_, at) => ({
    name: `some.metric.${at}`,
    attributes: { at: String(at) },
    unit: '',
  })),
});
const values = giant.series.map((_, at) => at % 7);

/** Some of small samples between the giant ones. */
function frame(firstSeq: number, rows: number): AgentFrame {
  const samples = Array.from({ length: rows }, (_, row) => ({
    schema: row % 100 === 99 ? small : giant,
    ts: START + firstSeq + row,
    mono: row,
    values: row % 100 === 99 ? [row, Number.NaN] : values,
    anomalies: [],
    diagnostics: [],
  }));
  const bytes = encodeSamples({ epoch: EPOCH, firstSeq, samples });
  return { agent: 'a1', header: readHeader(bytes), bytes, arrivalTs: START + firstSeq, lane: 'backlog' };
}

/** A store that holds `frames`, and what reads it. */
async function holding(...frames: readonly AgentFrame[]): Promise<QueryContext> {
  const disk = createMemoryDisk();
  const store = await openStore(createMemoryStorage({ disk }));
  for (const schema of [small, giant]) await firstValueFrom(store.putSchema('a1', schema));
  await firstValueFrom(store.append(frames));
  await closeStore(store);
  const storage = createMemoryStorage({ disk });
  return {
    storage,
    // All of it is in the index since the store was closed.
    tail: () => [],
    schemas: createSchemaCatalogue(storage),
    maxAheadMs: Number.POSITIVE_INFINITY,
    onBadFrame: (_agent, _epoch, _seq, error) => expect.fail(String(error)),
  };
}

type Read = { readonly page: Page<SampleDocument>; readonly steps: readonly number[] };

/** A page, and the processor time of each step, ms. */
function read(context: QueryContext, limit: number, cursor: string | null): Read {
  const steps: number[] = [];
  const work = querySamples(context, { agent: 'a1', limit, cursor, from: 0, to: START * 2 });
  for (;;) {
    const before = process.threadCpuUsage();
    const step = work.next();
    const { user, system } = process.threadCpuUsage(before);
    steps.push((user + system) / 1000);
    if (step.done === true) return { page: step.value, steps };
  }
}

it('come in pages of few bytes, none of them lost or twice', async () => {
  const context = await holding(frame(1, 120), frame(121, 60));
  const seqs: number[] = [];
  let cursor: string | null = null;
  do {
    const { page }: Read = read(context, 100, cursor);
    expect(page.items.length).toBeGreaterThan(0);
    expect(JSON.stringify(page.items).length).toBeLessThan(PAGE_BYTES);
    for (const { seq, values: shown } of page.items) {
      seqs.push(seq);
      if (shown['sensor.value{sensor=2}'] === 'NaN') continue;
      expect(Object.keys(shown)).toHaveLength(SERIES);
      expect(shown['some.metric.4000{at=4000}']).toBe(4_000 % 7);
    }
    cursor = page.cursor;
  } while (cursor !== null);
  expect(seqs).toEqual(Array.from({ length: 180 }, (_, at) => at + 1));
});

it('are read in many short steps', async () => {
  const context = await holding(frame(1, 4_096));
  // What runs for the first time takes longer.
  read(context, 100, null);
  const { page, steps } = read(context, 100, null);
  expect(page.items.length).toBeLessThan(100);
  const total = steps.reduce((sum, one) => sum + one, 0);
  expect(steps.length).toBeGreaterThan(100);
  expect(Math.max(...steps)).toBeLessThan(total / 4);
});
