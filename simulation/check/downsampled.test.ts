/** The checkers of thinned frames, given disks on which something is wrong. */
import { describe, expect, it } from 'vitest';
import { encodeFrameRecord } from '../../src/hq/store/frame-record.ts';
import { seqKey } from '../../src/hq/store/keys.ts';
import type { IngestFrame } from '../../src/hq/store/store.ts';
import { dataFrame, downsampledFrame, EPOCH, gapFrame } from '../../src/hq/store/testing/frames.ts';
import { frameKey } from '../../src/journal/keys.ts';
import type { BucketColumn, BucketGroup } from '../../src/protocol/frame.ts';
import { decodeDownsampled, encodeDownsampled, readHeader } from '../../src/protocol/frame-codec.ts';
import type { Operation } from '../../src/storage/overlay.ts';
import { createAgentTruth } from './agent-truth.ts';
import { checkDownsampled } from './check-world.ts';
import { createHqTruth } from './hq-truth.ts';
import { createViolations } from './violations.ts';

const AGENT = 'a1';

function world() {
  const violations = createViolations(
    () => 0,
    () => {},
  );
  const hq = createHqTruth(violations);
  const truth = createAgentTruth({
    agent: AGENT,
    now: () => 0,
    violations,
    everAtHq: (agent, epoch) => hq.epoch(agent, epoch).ever,
    wasAtHq: hq.wasStored,
  });
  const keyOf = (frame: Frame) => {
    const { kind, firstSeq, count } = frame.header;
    return frameKey({
      firstSeq,
      lastSeq: firstSeq + count - 1,
      kind,
      notable: false,
      size: frame.bytes.length,
    });
  };
  let log = 0;
  return {
    /** The journal writes these frames in place of those. */
    journal: (put: readonly Frame[], removed: readonly Frame[] = []) =>
      truth.wrote([
        ...removed.map((frame): Operation => ({ key: keyOf(frame), value: null })),
        ...put.map((frame): Operation => ({ key: keyOf(frame), value: frame.bytes })),
      ]),
    /** HQ stores a frame, or what `own` says of it. */
    hq: (frame: Frame, own?: readonly (readonly [number, number])[]) => {
      const { firstSeq, count, epoch } = frame.header;
      const segments = (own ?? [[firstSeq, firstSeq + count - 1]]).map(([first, last]) => ({
        first,
        last,
        arrivalTs: 0,
      }));
      log += 1;
      const record = { lane: 'backlog', logNumber: log, segments, frame: frame.bytes } as const;
      const key = seqKey('F', AGENT, epoch, segments[0]?.first ?? 0);
      hq.wrote([{ key, value: encodeFrameRecord(record) }]);
    },
    hqGap: (firstSeq: number, lastSeq: number) =>
      hq.wrote([
        {
          key: seqKey('G', AGENT, EPOCH, firstSeq),
          value: Buffer.from(JSON.stringify({ lastSeq, reason: 'overflow_oldest', fromTs: 0, toTs: 1 })),
        },
      ]),
    found: () => {
      for (const epoch of truth.epochs.keys())
        checkDownsampled({ name: AGENT, truth, sharers: [truth], epoch, hq, violations });
      return violations.list().map(({ rule, detail }) => `${rule}: ${detail}`);
    },
    truth,
  };
}
type Frame = Pick<IngestFrame, 'header' | 'bytes'>;

/** The frame with its first group changed. */
function changed(frame: Frame, change: (group: BucketGroup) => Partial<BucketGroup>): Frame {
  const { header, groups } = decodeDownsampled(frame.bytes);
  const [group, ...rest] = groups;
  if (group === undefined) throw new Error('no group');
  const { epoch, firstSeq, count } = header;
  const bytes = encodeDownsampled({
    epoch,
    firstSeq,
    count,
    groups: [{ ...group, ...change(group) }, ...rest],
  });
  return { bytes, header: readHeader(bytes) };
}
const raised = (values: Float64Array, row: number, by: number) =>
  values.map((value, index) => (index === row ? value + by : value));
const eachSeries =
  (change: (column: BucketColumn, index: number) => Partial<BucketColumn>) =>
  ({ columns }: BucketGroup): Partial<BucketGroup> => ({
    columns: columns.map((column, index) => {
      if (column === null) return null;
      const { counts, numbers, min, max, sum } = column;
      return { counts, numbers, min, max, sum, ...change(column, index) };
    }),
  });
const inSeries = (wanted: number, change: (column: BucketColumn) => Partial<BucketColumn>) =>
  eachSeries((column, index) => (index === wanted ? change(column) : {}));
/** From bucket 3 to bucket 4. */
const movedOne = (values: Float64Array) => raised(raised(values, 3, -1), 4, 1);

const whole = dataFrame(1, 64);
const thinned = downsampledFrame(1, 64, { window: 8 });

describe('a thinned frame', () => {
  it('that says what its samples were is right, at the agent and at HQ', () => {
    const { journal, hq, found } = world();
    journal([whole]);
    journal([thinned], [whole]);
    journal([downsampledFrame(1, 64, { window: 32 })], [thinned]);
    hq(downsampledFrame(1, 64, { window: 32 }));
    expect(found()).toEqual([]);
  });

  it.each([
    ['a lesser minimum', inSeries(1, ({ min }) => ({ min: raised(min, 3, -1) })), /min of series 1/],
    ['a greater maximum', inSeries(1, ({ max }) => ({ max: raised(max, 3, 1) })), /max of series 1/],
    ['another sum', inSeries(1, ({ sum }) => ({ sum: raised(sum, 3, 0.001) })), /sum of series 1/],
    [
      'a value less',
      inSeries(1, ({ counts, numbers }) => ({
        counts: raised(counts, 3, -1),
        numbers: raised(numbers, 3, -1),
      })),
      /count of series 1/,
    ],
    [
      'a number less',
      inSeries(1, ({ numbers }) => ({ numbers: raised(numbers, 3, -1) })),
      /numbers of series 1/,
    ],
    ['an earlier time', ({ ts }: BucketGroup) => ({ ts: raised(ts, 3, -1) }), /ts /],
    ['a longer span', ({ spans }: BucketGroup) => ({ spans: raised(spans, 3, 5) }), /ts /],
    ['another mono', ({ mono }: BucketGroup) => ({ mono: raised(mono, 3, 5) }), /mono /],
    [
      'a sample moved to the next bucket',
      (group: BucketGroup) => ({
        ...eachSeries(({ counts, numbers }) => ({ counts: movedOne(counts), numbers: movedOne(numbers) }))(
          group,
        ),
        sizes: movedOne(group.sizes),
        seqs: raised(group.seqs, 4, -1),
      }),
      /samples, |ts /,
    ],
  ])('with %s is found, at HQ and at the agent', (_, change, detail) => {
    const wrong = changed(thinned, change);
    const atHq = world();
    atHq.journal([whole]);
    atHq.journal([thinned], [whole]);
    atHq.hq(wrong);
    expect(atHq.found()[0]).toMatch(/^wrong_content: a1: the bucket of seq \d+ of aaaaaaaaaaaa at HQ says /);
    expect(atHq.found()[0]).toMatch(detail);
    const atAgent = world();
    atAgent.journal([whole]);
    atAgent.journal([wrong], [whole]);
    expect(atAgent.found()[0]).toMatch(detail);
  });

  it('may differ in the last digits of a sum', () => {
    const { journal, hq, found } = world();
    journal([whole]);
    journal([thinned], [whole]);
    hq(
      changed(
        thinned,
        inSeries(1, ({ sum }) => ({ sum: raised(sum, 3, 1e-9) })),
      ),
    );
    expect(found()).toEqual([]);
  });

  it('that the agent never made is found', () => {
    const { journal, hq, found } = world();
    journal([whole]);
    hq(thinned);
    expect(found()).toEqual(['false_gap: a1: seqs 1–64 of aaaaaaaaaaaa are thinned at HQ alone']);
  });

  it.each([
    [
      'whole',
      (at: ReturnType<typeof world>) => at.hq(dataFrame(60, 70)),
      /seq 60 of aaaaaaaaaaaa, and thinned/,
    ],
    ['lost', (at: ReturnType<typeof world>) => at.hqGap(64, 70), /64–70 .*thinned, and as a gap/],
    [
      'in another thinned frame',
      (at: ReturnType<typeof world>) => at.hq(thinned, [[64, 64]]),
      /64–64 .*thinned in two frames/,
    ],
  ])('whose seqs are at HQ %s too is found', (_, also, detail) => {
    const at = world();
    at.journal([whole]);
    at.journal([thinned], [whole]);
    at.hq(thinned);
    also(at);
    expect(at.found()[0]).toMatch(/^stored_twice/);
    expect(at.found()[0]).toMatch(detail);
  });

  it.each([
    [
      'whole',
      (at: ReturnType<typeof world>) => at.hq(dataFrame(5, 10)),
      /5.*thinned, and 5 whole|and 5 whole/,
    ],
    ['lost', (at: ReturnType<typeof world>) => at.hqGap(5, 10), /thinned, and as a gap/],
  ])(
    'that takes seqs which are at HQ %s is found; one that leaves them out is right',
    (_, before, detail) => {
      const twice = world();
      const once = world();
      for (const at of [twice, once]) {
        at.journal([whole]);
        at.journal([thinned], [whole]);
        before(at);
      }
      twice.hq(thinned);
      expect(twice.found()[0]).toMatch(detail);
      once.hq(thinned, [
        [1, 4],
        [11, 64],
      ]);
      expect(once.found()).toEqual([]);
    },
  );

  it('stands for its samples under a new epoch too, where they were never whole', () => {
    const { journal, hq, found, truth } = world();
    const epoch = 'bbbbbbbbbbbb';
    const { groups } = decodeDownsampled(thinned.bytes);
    const bytes = encodeDownsampled({
      epoch,
      firstSeq: 101,
      count: 64,
      groups: groups.map((group) => ({ ...group, seqs: group.seqs.map((seq) => seq + 100) })),
    });
    const moved = { bytes, header: readHeader(bytes) };
    journal([whole]);
    journal([thinned], [whole]);
    journal([moved], [thinned]);
    hq(moved);
    expect(found()).toEqual([]);
    expect([...(truth.epochs.get(epoch)?.contents.keys() ?? [])]).toHaveLength(64);
    const wrong = changed(
      moved,
      inSeries(1, ({ max }) => ({ max: raised(max, 0, 1) })),
    );
    hq(wrong);
    expect(found().some((one) => /max of series 1/.test(one))).toBe(true);
  });

  it('that leaves the journal before HQ has it is missed', () => {
    const { journal, found } = world();
    journal([whole]);
    journal([thinned], [whole]);
    journal([], [thinned]);
    expect(found()[0]).toMatch(/^released_before_ack: a1: seqs 1–64/);
  });

  it('that gives way to a gap is given up, and was not before', () => {
    const { journal, truth } = world();
    journal([whole]);
    journal([thinned], [whole]);
    expect(truth.epochs.get(EPOCH)?.givenUp).toEqual({ contiguous: 0, ranges: [] });
    journal([gapFrame(1, 64, 'overflow_oldest')], [thinned]);
    expect(truth.epochs.get(EPOCH)?.givenUp).toEqual({ contiguous: 64, ranges: [] });
  });
});
