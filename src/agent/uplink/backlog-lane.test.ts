/** What is cut of large frames for the link, and when. */
import { expect, it } from 'vitest';
import type { StoredFrame } from '../../journal/port.ts';
import { testSample, testSamples } from '../../journal/testing/test-samples.ts';
import { decodeData, encodeSamples, readHeader } from '../../protocol/frame-codec.ts';
import { WIDE_WINDOW } from '../testing/wide-window.ts';
import { isHeldBack, NEW_BACKLOG } from './backlog-lane.ts';
import type { LinkWindow } from './link-window.ts';
import { EMPTY_LIVE } from './live-lane.ts';
import { createUplinkLogic } from './logic.ts';
import type { Outgoing, UplinkEffect, UplinkMessage } from './state.ts';
import { onTheWire } from './wire-bytes.ts';

const SAMPLES = 2_000;
const CREDIT = { frames: 8, bytes: Number.POSITIVE_INFINITY };

function windowOf(pieceBytes: number): LinkWindow {
  const bytes = 2.5 * pieceBytes;
  return {
    ...WIDE_WINDOW,
    bytes,
    leastBytes: bytes,
    liveBytes: pieceBytes,
    pieceBytes,
    rate: 1,
    isMeasured: true,
  };
}

function frameOf(firstSeq: number, count: number): StoredFrame {
  const bytes = encodeSamples({ epoch: '0123456789ab', firstSeq, samples: testSamples(firstSeq, count) });
  const lastSeq = firstSeq + count - 1;
  return { firstSeq, lastSeq, kind: 'data', notable: false, tsMin: 0, tsMax: 0, bytes };
}

const found = (what: 'newest' | 'notable' | 'oldest', frames: readonly StoredFrame[]): UplinkMessage => ({
  type: 'read',
  connection: 1,
  what,
  frames,
  exhausted: true,
});

/** What leads to an open connection without fresh frames. */
const opening = (window: LinkWindow): UplinkMessage[] => [
  { type: 'opened', connection: 1 },
  {
    type: 'accepted',
    connection: 1,
    ack: { contiguous: 0, ranges: [] },
    credit: CREDIT,
    limits: { maxFrameBytes: 1e6, maxFrameSamples: 10_000, maxSeries: 10 },
    window,
    sampled: 2 * SAMPLES,
    released: 0,
    reconnectMs: null,
  },
  found('newest', []),
];

const logic = createUplinkLogic({
  maxInFlight: 8,
  liveLingerMs: 0,
  backoffInitialMs: 1_000,
  backoffMaxMs: 60_000,
});

/**
 * Answers what is sent, in order, over a link whose pieces have `pieceBytes(n)` when the n-th message is answered; what
 * was sent.
 */
function drained(frames: readonly StoredFrame[], pieceBytes: (answered: number) => number): Outgoing[][] {
  const sampled = frames.at(-1)?.lastSeq ?? 0;
  let [state, effects] = logic.initial();
  const sent: Outgoing[][] = [];
  const say = (message: UplinkMessage) => {
    [state, effects] = logic.transition(state, message);
    for (const effect of effects as readonly UplinkEffect[])
      if (effect.type === 'deliver') sent.push([...effect.shipment.frames]);
  };
  for (const message of opening(windowOf(pieceBytes(0)))) say(message);
  say(found('notable', []));
  say(found('oldest', frames));
  for (let answered = 0; answered < sent.length; answered += 1) {
    say({ type: 'window', window: windowOf(pieceBytes(answered + 1)) });
    const message = sent[answered] ?? [];
    const contiguous = message.at(-1)?.lastSeq ?? 0;
    say({
      type: 'delivered',
      connection: 1,
      firstSeq: message[0]?.firstSeq ?? 0,
      ack: { contiguous, ranges: [] },
      credit: CREDIT,
      sampled,
    });
  }
  return sent;
}

/** Each frame holds the samples that it says, each sample goes once, in order. */
function expectAllOnce(sent: readonly (readonly Outgoing[])[], total: number): void {
  let next = 1;
  for (const { firstSeq, lastSeq, bytes } of sent.flat()) {
    expect(firstSeq).toBe(next);
    expect(readHeader(bytes)).toMatchObject({ firstSeq, count: lastSeq - firstSeq + 1 });
    decodeData(bytes);
    next = lastSeq + 1;
  }
  expect(next).toBe(total + 1);
}

const FRAMES = [frameOf(1, SAMPLES), frameOf(SAMPLES + 1, SAMPLES)];

it('cuts large frames to pieces that a slow link carries', () => {
  const sent = drained(FRAMES, () => 400);
  expectAllOnce(sent, 2 * SAMPLES);
  const sizes = sent.map((frames) => frames.reduce((sum, { bytes }) => sum + bytes.length, 0));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(440);
  expect(sizes.reduce((sum, size) => sum + size, 0) / sizes.length).toBeGreaterThan(300);
});

it('sends what is not cut yet in one piece, once the link is seen to be fast', () => {
  const sent = drained(FRAMES, (answered) => (answered < 3 ? 400 : 1e6));
  expectAllOnce(sent, 2 * SAMPLES);
  // Four pieces were cut; the rest of the first frame follows whole, then the second one.
  expect(sent.length).toBeLessThanOrEqual(8);
});

it('cuts to smaller pieces what a link that has become slower gets next', () => {
  const sent = drained(FRAMES, (answered) => (answered < 2 ? 4_000 : 300));
  expectAllOnce(sent, 2 * SAMPLES);
  const late = sent.slice(8).flat();
  expect(Math.max(...late.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(330);
});

it('sends hardly more than the anomalous samples of a frame while nothing else of the backlog may go', () => {
  const samples = testSamples(1, SAMPLES).map((sample, index) =>
    index === 700 ? testSample(701, { notable: true }) : sample,
  );
  const bytes = encodeSamples({ epoch: '0123456789ab', firstSeq: 1, samples });
  const large: StoredFrame = {
    firstSeq: 1,
    lastSeq: SAMPLES,
    kind: 'data',
    notable: true,
    tsMin: 0,
    tsMax: 0,
    bytes,
  };
  let [state] = logic.initial();
  const sent: Outgoing[] = [];
  for (const message of [
    ...opening({ ...windowOf(1e6), allowed: { live: true, notable: true, late: true, backlog: false } }),
    found('notable', [large]),
  ]) {
    const [next, effects] = logic.transition(state, message);
    state = next;
    for (const effect of effects) if (effect.type === 'deliver') sent.push(...effect.shipment.frames);
  }
  const [only, ...more] = sent;
  expect(more).toEqual([]);
  expect(only?.firstSeq).toBeLessThanOrEqual(701);
  expect(only?.lastSeq).toBeGreaterThanOrEqual(701);
  expect(only?.bytes.length).toBeLessThanOrEqual(1_200);
});

it('cuts of what is anomalous only pieces that begin with an anomaly that HQ lacks', () => {
  const anomalous = [100, 101, 700, 1_500];
  const samples = testSamples(1, SAMPLES).map((sample, index) =>
    anomalous.includes(index + 1) ? testSample(index + 1, { notable: true }) : sample,
  );
  const bytes = encodeSamples({ epoch: '0123456789ab', firstSeq: 1, samples });
  const large = { ...frameOf(1, SAMPLES), notable: true, bytes };
  /** First seqs of what goes while only what is anomalous may, when HQ has answered each of them. */
  const sentWith = (ranges: [number, number][]) => {
    let [state] = logic.initial();
    const sent: Outgoing[] = [];
    const say = (message: UplinkMessage) => {
      const [next, effects] = logic.transition(state, message);
      state = next;
      for (const effect of effects) if (effect.type === 'deliver') sent.push(...effect.shipment.frames);
    };
    const window = { ...windowOf(400), allowed: { live: true, notable: true, late: true, backlog: false } };
    for (const message of opening(window))
      say(message.type === 'accepted' ? { ...message, ack: { contiguous: 0, ranges } } : message);
    say(found('notable', [large]));
    for (let answered = 0; answered < sent.length; answered += 1) {
      const { firstSeq, lastSeq } = sent[answered] as Outgoing;
      const ack = { contiguous: 0, ranges: [[firstSeq, lastSeq] as [number, number]] };
      say({ type: 'delivered', connection: 1, firstSeq, ack, credit: CREDIT, sampled: SAMPLES });
    }
    return sent.map(({ firstSeq }) => firstSeq);
  };
  expect(sentWith([])).toEqual([100, 700, 1_500]);
  expect(sentWith([[90, 800]])).toEqual([1_500]);
  expect(sentWith([[100, 100]])).toEqual([101, 700, 1_500]);
  expect(
    sentWith([
      [100, 101],
      [700, 700],
      [1_400, 1_600],
    ]),
  ).toEqual([]);
});

it('is held back while only more than the live lane holds is pending and it may not go', () => {
  const frame = frameOf(1, 10);
  const held = (backlogAllowed: boolean, pending: number) => {
    const window = {
      ...windowOf(1_000),
      allowed: { live: true, notable: true, late: true, backlog: backlogAllowed },
    };
    const live = { ...EMPTY_LIVE, waiting: [frame] };
    return isHeldBack({ backlog: NEW_BACKLOG, live, window }, pending);
  };
  expect(held(false, 10)).toBe(false);
  expect(held(false, 60_000)).toBe(true);
  expect(held(true, 60_000)).toBe(false);
});

it('waits between two frames on a link that has a pace, with one timer', () => {
  const frames = [1, 101, 201].map((firstSeq) => frameOf(firstSeq, 100));
  const bytes = Math.max(...frames.map((frame) => frame.bytes.length));
  const paced: LinkWindow = { ...WIDE_WINDOW, pieceBytes: bytes, pace: 2 };
  let [state] = logic.initial();
  const say = (message: UplinkMessage) => {
    const [next, effects] = logic.transition(state, message);
    state = next;
    return effects.flatMap((effect): (number | string)[] => {
      if (effect.type === 'deliver') return [effect.shipment.firstSeq];
      return effect.type === 'pause' ? [`${effect.ms} ms`] : [];
    });
  };
  for (const message of [...opening(paced), found('notable', [])]) say(message);
  const pauseAfter = (index: number) => `${Math.ceil(onTheWire(frames[index]?.bytes.length ?? 0) / 2)} ms`;
  expect(say(found('oldest', frames))).toEqual([1, pauseAfter(0)]);
  expect(say({ type: 'credit', connection: 1, credit: CREDIT })).toEqual([]);
  // The timer may end a moment early.
  say({ type: 'window', window: { ...paced, pauseMs: 0.5 } });
  expect(say({ type: 'pause_over', connection: 1 })).toEqual(['1 ms']);
  say({ type: 'window', window: paced });
  expect(say({ type: 'pause_over', connection: 1 })).toEqual([101, pauseAfter(1)]);
});
