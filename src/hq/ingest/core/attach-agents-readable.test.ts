/** What HQ acks can be read: nothing that is stored is lost to those who ask for it. */
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../../tests/support/long.ts';
import { type SampleDocument, sampleDocumentSchema } from '../../../protocol/api.ts';
import { chance } from '../../../protocol/codec/testing/chance.ts';
import { goldens } from '../../../protocol/codec/testing/golden.ts';
import { fixChecksum } from '../../../protocol/codec/testing/mutants.ts';
import { frameReplySchema } from '../../../protocol/events.ts';
import {
  decodeData,
  decodeDownsampled,
  encodeSamples,
  readHeader,
  resealFrame,
} from '../../../protocol/frame-codec.ts';
import { type Anomaly, type InternedSchema, MAX_TS } from '../../../protocol/sample.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import {
  dataFrame,
  downsampledFrame,
  EPOCH,
  gapFrame,
  SERIES,
  START,
  sampleOf,
  schema,
} from '../../store/testing/frames.ts';
import { readBuckets } from '../../store/testing/read.ts';
import { announce, ask, joinAs, startHq, type TestHq } from '../testing/test-hq.ts';

const MUTATIONS = sized(1_500, 30_000);
/** Each mutant has seqs of its own, so that none is taken for a repetition. */
const SLOT = 5_000;
const BATCH = 100;
const LIMITS = { maxSeries: 10_000, framesPerSecond: 100_000, liveFramesPerSecond: 100_000 };
const ALL_TIME = { from: -MAX_TS, to: MAX_TS };

const golden = goldens().filter(({ name }) => name !== 'extreme-times');
const originals: readonly Uint8Array[] = [
  ...golden.filter(({ kind }) => kind !== 'thinned').map(({ bytes }) => bytes),
  downsampledFrame(1, 64, { window: 8 }).bytes,
  downsampledFrame(1, 10, { window: 3 }).bytes,
  gapFrame(1, 9, 'damaged').bytes,
];
const schemas: readonly InternedSchema[] = [
  ...new Map(
    golden
      .flatMap((one) => (one.kind === 'data' ? one.samples : []))
      .map((one) => [one.schema.ref, one.schema]),
  ).values(),
  schema,
];

/** One to three bytes of the frame changed, with a right checksum; null where that has other seqs. */
function mutantOf(original: Uint8Array, firstSeq: number, next: () => number): Uint8Array | null {
  const sound = resealFrame(original, { epoch: EPOCH, firstSeq });
  const bytes = sound.slice();
  const pick = (bound: number) => Math.floor(next() * bound);
  for (let changes = pick(3); changes >= 0; changes -= 1) {
    const at = pick(bytes.length);
    bytes[at] = next() < 0.5 ? pick(256) : (bytes[at] as number) ^ (1 << pick(8));
  }
  fixChecksum(bytes);
  try {
    const { epoch, firstSeq: first, count } = readHeader(bytes);
    return epoch === EPOCH && first >= firstSeq && first + count <= firstSeq + SLOT ? bytes : null;
  } catch {
    return bytes;
  }
}

async function samplesIn({ store }: TestHq, agent: string): Promise<ReadonlyMap<number, SampleDocument>> {
  const found = new Map<number, SampleDocument>();
  let cursor: string | null = null;
  do {
    const query = { agent, limit: 10_000, cursor, ...ALL_TIME };
    const page: { items: readonly SampleDocument[]; cursor: string | null } = await firstValueFrom(
      store.samples(query),
    );
    for (const item of page.items) {
      // As it comes to who asks over HTTP.
      sampleDocumentSchema.parse(JSON.parse(JSON.stringify(item)));
      found.set(item.seq, item);
    }
    cursor = page.cursor;
  } while (cursor !== null);
  return found;
}

/** What of an acked data frame cannot be read. */
function missingOf(bytes: Uint8Array, found: ReadonlyMap<number, SampleDocument>): string[] {
  const missing: string[] = [];
  for (const { seqs, columns } of decodeData(bytes).groups) {
    for (const [row, seq] of seqs.entries()) {
      const present = columns.filter((column) => column?.present?.[row] !== 0).length;
      const read = Object.keys(found.get(seq)?.values ?? {}).length;
      if (!found.has(seq) || read !== present) missing.push(`seq ${seq}: ${read} of ${present} values`);
    }
  }
  return missing;
}

describe('mutants of sound frames, their checksums right', () => {
  it(`are refused by name or can be read, all ${MUTATIONS} of them`, async () => {
    const hq = await startHq({ limits: LIMITS });
    const socket = await joinAs(hq, 'a1');
    for (const one of schemas) expect(await announce(socket, one)).toEqual({ ok: true });
    const next = chance(20_261_129);
    const mutants = Array.from({ length: MUTATIONS }, (_, index) =>
      mutantOf(originals[index % originals.length] as Uint8Array, 1 + index * SLOT, next),
    ).filter((bytes) => bytes !== null);
    const acked: Uint8Array[] = [];
    for (let at = 0; at < mutants.length; at += BATCH) {
      const batch = mutants.slice(at, at + BATCH);
      const replies = await Promise.all(batch.map((bytes) => ask(socket, 'frame', { lane: 'live' }, bytes)));
      for (const [index, answer] of replies.entries()) {
        const reply = frameReplySchema.parse(answer);
        if (reply.ok) acked.push(batch[index] as Uint8Array);
        else expect(reply.error.code).toMatch(/^(bad_frame|unknown_schema)$/);
      }
    }
    const kinds = new Map<string, Uint8Array[]>();
    for (const bytes of acked) {
      const { kind } = readHeader(bytes);
      kinds.set(kind, [...(kinds.get(kind) ?? []), bytes]);
    }
    const found = await samplesIn(hq, 'a1');
    expect((kinds.get('data') ?? []).flatMap((bytes) => missingOf(bytes, found))).toEqual([]);
    const thinned = (kinds.get('thinned') ?? []).flatMap((bytes) => decodeDownsampled(bytes).groups);
    const wanted = thinned.reduce(
      (sum, { columns }) => sum + (columns[0]?.counts.reduce((all, count) => all + count, 0) ?? 0),
      0,
    );
    const query = { agent: 'a1', source: schema.source, series: SERIES, stepMs: 2 ** 50, ...ALL_TIME };
    const buckets = await readBuckets(hq.store, query);
    expect(buckets.reduce((sum, { thinned: count = 0 }) => sum + count, 0)).toBe(wanted);
    // Neither is all refused, nor all taken.
    expect(acked.length).toBeGreaterThan(MUTATIONS / 20);
    expect(acked.length).toBeLessThan(MUTATIONS / 2);
    expect(wanted).toBeGreaterThan(0);
  });
});

describe('frames that no one could read', () => {
  const closed: Anomaly = {
    series: 0,
    state: 'closed',
    startTs: START,
    peakTs: START,
    peakValue: 9,
    peakZ: 4,
    mean: 1,
    stddev: 1,
    endTs: START + 1,
  };
  const withAnomaly = (more: Partial<Anomaly>) =>
    dataFrame(1, 3, { anomalies: (seq) => (seq === 2 ? [{ ...closed, ...more }] : []) }).bytes;

  it.each([
    ['its seq', withAnomaly({ startTs: Number.NaN }), 'group 1, seq 2: anomaly: startTs: NaN'],
    [
      'the end that is missing',
      withAnomaly({ endTs: null }),
      'group 1, seq 2: anomaly: closed without an end',
    ],
    ['a deviation below 0', withAnomaly({ stddev: -1 }), 'group 1, seq 2: anomaly: standard deviation -1'],
  ])('are refused with %s', async (_, bytes, place) => {
    const hq = await startHq();
    const socket = await joinAs(hq, 'a1');
    const reply = await ask(socket, 'frame', { lane: 'live' }, bytes);
    expect(reply).toMatchObject({ error: { code: 'bad_frame', message: expect.stringContaining(place) } });
    expect(await ask(socket, 'frame', { lane: 'live' }, dataFrame(1, 3).bytes)).toMatchObject({ ok: true });
  });

  it.each([0, 1, 3])('as they have %i columns for two series are refused', async (columns) => {
    const hq = await startHq();
    const socket = await joinAs(hq, 'a1');
    const other = {
      ...schema,
      series: Array.from({ length: columns }, (_, index) => ({
        name: `s${index}`,
        attributes: {},
        unit: '',
      })),
    };
    const samples = [1, 2].map((seq) => ({
      ...sampleOf(seq),
      schema: other,
      values: other.series.map(() => 1),
    }));
    const bytes = encodeSamples({ epoch: EPOCH, firstSeq: 1, samples });
    expect(await ask(socket, 'frame', { lane: 'live' }, bytes)).toMatchObject({
      error: {
        code: 'bad_frame',
        message: `malformed: group 1: ${columns} columns for the 2 series of ${schema.ref}`,
      },
    });
  });
});

describe('schemas that no reader can hold', () => {
  it('are refused with the place, and so are their frames', async () => {
    const hq = await startHq();
    const socket = await joinAs(hq, 'a1');
    const series = ['a', 'b\ud800'].map((name) => ({ name, attributes: {}, unit: '' }));
    const broken = internSchema({ ...schema, series });
    const frame = dataFrame(1, 2, { schema: broken }).bytes;
    expect(await ask(socket, 'frame', { lane: 'live' }, frame)).toMatchObject({
      error: { code: 'unknown_schema', refs: [broken.ref] },
    });
    expect(await announce(socket, broken)).toMatchObject({
      error: { code: 'bad_request', message: expect.stringContaining('series.1.name') },
    });
    expect(await ask(socket, 'frame', { lane: 'live' }, frame)).toMatchObject({
      error: { code: 'bad_frame', message: expect.stringContaining('series.1.name') },
    });
  });

  it('as a series is in them twice are refused', async () => {
    const hq = await startHq();
    const socket = await joinAs(hq, 'a1');
    const one = { name: 'a', attributes: { b: '1' }, unit: '' };
    expect(
      await announce(socket, internSchema({ ...schema, series: [one, { ...one, unit: 'V' }] })),
    ).toMatchObject({
      error: { code: 'bad_request', message: expect.stringContaining('the same as series.0, a{b=1}') },
    });
  });
});
