/** Thinned frames on the wire: taken like data frames, bounded by their buckets, accounted apart. */
import { describe, expect, it } from 'vitest';
import { encodeDownsampled } from '../../../protocol/frame-codec.ts';
import { downsampledFrame, EPOCH, START, schema } from '../../store/testing/frames.ts';
import { ledgerOf, numbersOf } from '../../store/testing/read.ts';
import { ask, helloOf, joinAs, startHq } from '../testing/test-hq.ts';

const start = () => startHq({ limits: { maxFrameSamples: 16 } });
const lane = { lane: 'backlog' } as const;

/** One bucket that stands for so many samples. */
const oneBucket = (count: number) =>
  encodeDownsampled({
    epoch: EPOCH,
    firstSeq: 1,
    count,
    groups: [
      {
        schemaRef: schema.ref,
        seqs: Float64Array.of(1),
        sizes: Float64Array.of(count),
        ts: Float64Array.of(START),
        spans: Float64Array.of(count * 1000),
        mono: Float64Array.of(0),
        columns: schema.series.map(() => {
          const none = Float64Array.of(Number.NaN);
          return { counts: Float64Array.of(0), numbers: Float64Array.of(0), min: none, max: none, sum: none };
        }),
      },
    ],
  });

describe('a thinned frame', () => {
  it('is acked, accounted as thinned, and told apart from stored and lost samples', async () => {
    const hq = await start();
    const agent = await joinAs(hq, 'a1', { sampled: 128 });
    const { bytes } = downsampledFrame(1, 128, { window: 8 });
    expect(await ask(agent, 'frame', lane, bytes)).toMatchObject({ ok: true, ack: { contiguous: 128 } });
    expect((await ledgerOf(hq.store))[0]).toMatchObject({
      stored: 0,
      thinned: { overflow: 128 },
      pending: 0,
    });
    expect(await ask(agent, 'frame', lane, bytes)).toMatchObject({ ok: true, ack: { contiguous: 128 } });
    const commits = hq.events.filter((event) => event.type === 'commit');
    expect(commits).toMatchObject([
      { stored: 0, thinned: 128, dropped: 0, duplicates: 0 },
      { stored: 0, thinned: 0, dropped: 0, duplicates: 128 },
    ]);
    const answers = hq.events.filter((event) => event.type === 'frames_answered');
    expect(answers.map(({ outcome }) => outcome)).toEqual(['stored', 'duplicate']);
  });

  it('may stand for more samples than a frame may hold, not have more buckets', async () => {
    const hq = await start();
    const agent = await joinAs(hq, 'a1');
    const many = await ask(agent, 'frame', lane, downsampledFrame(1, 136, { window: 8 }).bytes);
    expect(many).toMatchObject({ ok: false, error: { code: 'too_large' } });
    expect(await ask(agent, 'frame', lane, oneBucket(1_000_000))).toMatchObject({ ok: true });
    expect((await numbersOf(hq.store)).counts).toMatchObject({
      sampled: 1_000_000,
      thinned: 1_000_000,
      dropped: 0,
    });
  });

  it('needs its schemas known, and must be whole', async () => {
    const hq = await start();
    const agent = await hq.join();
    await ask(agent, 'hello', helloOf('a1'));
    const { bytes } = downsampledFrame(1, 128, { window: 8 });
    expect(await ask(agent, 'frame', lane, bytes)).toMatchObject({
      ok: false,
      error: { code: 'unknown_schema', refs: [schema.ref] },
    });
    const damaged = Uint8Array.from(bytes);
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    expect(await ask(agent, 'frame', lane, damaged)).toMatchObject({
      ok: false,
      error: { code: 'bad_frame' },
    });
    expect((await numbersOf(hq.store)).counts).toMatchObject({ thinned: 0 });
  });
});
