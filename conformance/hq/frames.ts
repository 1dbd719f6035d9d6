/** docs/protocol.md, sections 3, 4, 6 and 7: frames, what is taken of them, and what is not. */
import { goldens } from '../../src/protocol/codec/testing/golden.ts';
import { ofEpoch, refusedFrames } from '../../src/protocol/codec/testing/refused.ts';
import { GAP_REASONS } from '../../src/protocol/frame.ts';
import {
  bucketsOf,
  coarsen,
  decodeData,
  encodeDownsampled,
  encodeGap,
  encodeSamples,
  readHeader,
  resealFrame,
} from '../../src/protocol/frame-codec.ts';
import { expectThat, Skipped } from '../report.ts';
import {
  announce,
  deliver,
  exampleSchema,
  expectCoverage,
  expectRefusal,
  frameOf,
  type HqContext,
  newEpoch,
  sampleOf,
} from './context.ts';
import { readBack } from './read-back.ts';

/** Golden frames are sent one behind the other; none has more seqs. */
const SLOT = 6_000_000;
/** An HQ that takes more is not asked for it. */
const MOST_BYTES = 4 * 1024 * 1024;

export async function checkFrames(context: HqContext): Promise<void> {
  await checkCoverage(context);
  await checkKinds(context);
  await checkSound(context);
  await checkRefused(context);
  await checkBounds(context);
  await checkCredit(context);
}

async function checkCoverage({ check, session }: HqContext): Promise<void> {
  await check('frame.stored', 'MUST', 'HQ answers a frame with a coverage that has it', async () => {
    const { client, epoch } = await session({ sampled: 4 });
    await announce(client);
    expectCoverage(await deliver(client, frameOf(epoch, 1, 4)), 1, 4);
    client.raw.close();
  });
  await check(
    'frame.again',
    'MUST',
    'HQ takes a frame again, in whole and in part, and any order',
    async () => {
      const { client, epoch } = await session({ sampled: 20 });
      await announce(client);
      await deliver(client, frameOf(epoch, 11, 4));
      expectCoverage(await deliver(client, frameOf(epoch, 11, 4)), 11, 14);
      expectCoverage(await deliver(client, frameOf(epoch, 13, 4)), 11, 16);
      const whole = await deliver(client, frameOf(epoch, 1, 10), 'backlog');
      client.raw.close();
      expectThat(whole.contiguous === 16 && whole.ranges.length === 0, 'contiguous 16, no range', whole);
    },
  );
  await check(
    'frame.meta',
    'MUST',
    'HQ ignores unknown fields beside the lane, and refuses an unknown lane',
    async () => {
      const { client, epoch } = await session();
      await announce(client);
      const reply = await client.ask('frame', { lane: 'live', colour: 'blue' }, frameOf(epoch, 1));
      expectThat((reply as { ok?: unknown }).ok === true, 'the frame to be stored', reply);
      expectRefusal(await client.ask('frame', { lane: 'fast' }, frameOf(epoch, 2)), 'bad_request');
      client.raw.close();
    },
  );
}

async function checkKinds({ check, session }: HqContext): Promise<void> {
  for (const reason of GAP_REASONS) {
    await check(`frame.gap.${reason}`, 'MUST', `HQ takes a gap of ${reason} for its seqs`, async () => {
      const { client, epoch } = await session({ sampled: 5_000_000 });
      const ts = Date.now();
      const bytes = encodeGap({ epoch, firstSeq: 1, count: 5_000_000, tsMin: ts - 1000, tsMax: ts, reason });
      expectCoverage(await deliver(client, bytes), 1, 5_000_000);
      client.raw.close();
    });
  }
  await check('frame.thinned', 'MUST', 'HQ takes a thinned frame for its seqs', async () => {
    const { client, epoch } = await session({ sampled: 64 });
    await announce(client);
    const groups = coarsen(bucketsOf(decodeData(frameOf(epoch, 1, 64))), { window: 8, apart: true });
    expectCoverage(
      await deliver(client, encodeDownsampled({ epoch, firstSeq: 1, count: 64, groups })),
      1,
      64,
    );
    client.raw.close();
  });
}

async function checkSound(context: HqContext): Promise<void> {
  const { check, session } = context;
  await check('frame.golden', 'MUST', 'HQ takes every golden frame', async () => {
    const { client, epoch } = await session({ sampled: 30 * SLOT });
    let firstSeq = 1;
    for (const golden of goldens()) {
      if (golden.kind === 'thinned' || golden.name === 'extreme-times') continue;
      if (golden.kind === 'data')
        for (const schema of new Set(golden.samples.map((sample) => sample.schema)))
          await announce(client, schema);
      const bytes = resealFrame(golden.bytes, { epoch, firstSeq });
      const { count } = readHeader(bytes);
      const coverage = await deliver(client, bytes).catch((error: unknown) => {
        throw new Error(`${golden.name}: ${String(error)}`);
      });
      expectCoverage(coverage, firstSeq, firstSeq + count - 1);
      firstSeq += SLOT;
    }
    client.raw.close();
  });
  await check('frame.readable', 'MUST', 'what HQ acks can be read, every value as it was', async () => {
    const { client, epoch, agent } = await session({ agent: `${context.agent}-read`, sampled: 5 });
    await announce(client);
    const values = [
      [-0, Number.NaN, null],
      [Number.POSITIVE_INFINITY, 2 ** 53 - 1, 1e-7],
      [Number.NEGATIVE_INFINITY, 0.1 + 0.2, 5e-324],
      [1, -2, 3],
      [1.5, null, 3],
    ];
    const samples = values.map((row, index) => ({ ...sampleOf(index + 1), values: row }));
    await deliver(client, encodeSamples({ epoch, firstSeq: 1, samples }));
    client.raw.close();
    await readBack(context, agent, samples);
  });
}

async function checkRefused({ check, session }: HqContext): Promise<void> {
  const { client, epoch } = await session({ sampled: 10_000_000 });
  await announce(client);
  for (const one of refusedFrames()) {
    await check(
      `refused.${one.name}`,
      'MUST',
      `HQ refuses a frame with bad_frame: ${one.about}`,
      async () => {
        const reply = await client.ask('frame', { lane: 'live' }, ofEpoch(one, epoch));
        expectRefusal(reply, 'bad_frame');
      },
    );
  }
  await check('refused.nothing-kept', 'MUST', 'HQ keeps nothing of what it refused', async () => {
    const coverage = await deliver(client, frameOf(epoch, 9_000_000));
    client.raw.close();
    expectThat(
      coverage.contiguous === 0 && coverage.ranges.length === 1,
      'the one frame that was sound',
      coverage,
    );
  });
  await check(
    'refused.epoch',
    'MUST',
    'HQ refuses a frame of another epoch than its hello with bad_frame',
    async () => {
      const { client: other } = await session();
      await announce(other);
      expectRefusal(await other.ask('frame', { lane: 'live' }, frameOf(newEpoch(), 1)), 'bad_frame');
      other.raw.close();
    },
  );
  for (const columns of [0, 2, 4]) {
    await check(
      `refused.columns-${columns}`,
      'MUST',
      `HQ refuses ${columns} columns for three series with bad_frame`,
      async () => {
        const { client: other, epoch: own } = await session();
        await announce(other);
        const series = Array.from({ length: columns }, (_, index) => ({
          name: `s${index}`,
          attributes: {},
          unit: '',
        }));
        const wrong = { ...exampleSchema, series };
        expectRefusal(await other.ask('frame', { lane: 'live' }, frameOf(own, 1, 2, wrong)), 'bad_frame');
        other.raw.close();
      },
    );
  }
}

async function checkBounds({ check, session }: HqContext): Promise<void> {
  await check(
    'frame.too-large',
    'MUST',
    'HQ refuses a frame beyond maxFrameBytes with too_large',
    async () => {
      const { client, reply, epoch } = await session();
      const { maxFrameBytes } = reply.limits;
      if (maxFrameBytes > MOST_BYTES) throw new Skipped(`this HQ takes ${maxFrameBytes} bytes`);
      await announce(client);
      const bytes = new Uint8Array(maxFrameBytes + 1);
      bytes.set(frameOf(epoch, 1));
      expectRefusal(await client.ask('frame', { lane: 'live' }, bytes), 'too_large');
      client.raw.close();
    },
  );
  await check(
    'frame.too-many',
    'MUST',
    'HQ refuses a frame beyond maxFrameSamples with too_large',
    async () => {
      const { client, reply, epoch } = await session();
      const { maxFrameSamples } = reply.limits;
      if (maxFrameSamples >= 4096)
        throw new Skipped(`this HQ takes ${maxFrameSamples}, as many as a frame can have`);
      await announce(client);
      expectRefusal(
        await client.ask('frame', { lane: 'live' }, frameOf(epoch, 1, maxFrameSamples + 1)),
        'too_large',
      );
      client.raw.close();
    },
  );
}

async function checkCredit({ check, session, timeoutMs }: HqContext): Promise<void> {
  const creditOf = async ({ client, reply }: Awaited<ReturnType<HqContext['session']>>) => {
    let credit = reply.credit;
    const told = () => {
      for (const { event, args } of client.received)
        if (event === 'credit') credit = (args[0] as { frames: number }).frames;
      return credit > 0;
    };
    if (!(await client.until(told, timeoutMs))) throw new Skipped('this HQ gave no credit in time');
    return credit;
  };
  await check('credit.within', 'MUST', 'HQ refuses no backlog frame within its credit', async () => {
    const opened = await session({ sampled: 1_000 });
    const { client, epoch } = opened;
    await announce(client);
    const credit = Math.min(64, await creditOf(opened));
    const replies = await Promise.all(
      Array.from({ length: credit }, (_, index) =>
        client.ask('frame', { lane: 'backlog' }, frameOf(epoch, 1 + index)),
      ),
    );
    client.raw.close();
    const refused = replies.filter((reply) => (reply as { ok?: unknown }).ok !== true);
    expectThat(refused.length === 0, `all ${credit} to be stored`, refused[0]);
  });
  await check(
    'credit.beyond',
    'MUST',
    'HQ answers each frame beyond its credit: stored, or rate_limited',
    async () => {
      const opened = await session({ sampled: 1_000 });
      const { client, epoch } = opened;
      await announce(client);
      const credit = Math.min(64, await creditOf(opened));
      const frames = Array.from({ length: credit + 16 }, (_, index) => frameOf(epoch, 1 + index));
      const replies = await Promise.all(
        frames.map((bytes) => client.ask('frame', { lane: 'backlog' }, bytes)),
      );
      for (const reply of replies)
        if ((reply as { ok?: unknown }).ok !== true) expectRefusal(reply, 'rate_limited');
      for (const bytes of frames) await deliver(client, bytes, 'backlog');
      client.raw.close();
    },
  );
}
