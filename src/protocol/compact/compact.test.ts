import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Coverage } from '../coverage.ts';
import { type Heartbeat, heartbeatSchema, LANES, WIRE_ERROR_CODES } from '../events.ts';
import { encodeGap } from '../frame-codec.ts';
import { MAX_SEQ } from '../sample.ts';
import { CompactError } from './compact-error.ts';
import { type DownMessage, decodeDown, encodeDown } from './down.ts';
import { heartbeatFrom, leavesOf } from './heartbeat-delta.ts';
import {
  decodeUp,
  encodeFrameMessage,
  encodeHeartbeatMessage,
  type KnownHeartbeat,
  REQUEST_NUMBERS,
} from './up.ts';

const epoch = '0123456789ab';
const request = fc.nat(REQUEST_NUMBERS - 1);
const seq = fc.maxSafeNat().map((value) => value % MAX_SEQ);
const coverage = fc
  .tuple(fc.nat(1_000_000), fc.array(fc.tuple(fc.nat(5_000), fc.nat(5_000)), { maxLength: 130 }))
  .map(([contiguous, steps]): Coverage => {
    let end = contiguous;
    const ranges = steps.map(([hole, length]): [number, number] => {
      const first = end + 2 + hole;
      end = first + length;
      return [first, end];
    });
    return { contiguous, ranges };
  });
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const down: fc.Arbitrary<DownMessage> = fc.oneof(
  fc.record({
    type: fc.constant('acked' as const),
    requests: fc.array(request, { minLength: 1, maxLength: 20 }),
    ack: coverage,
    credit: fc.nat(1024),
    creditBytes: optional(seq),
  }),
  fc.record({
    type: fc.constant('refused' as const),
    request,
    error: fc.record(
      {
        code: fc.constantFrom(...WIRE_ERROR_CODES),
        message: fc.string({ unit: 'grapheme', maxLength: 60 }),
        retryAfterMs: fc.nat(86_400_000),
        refs: fc.array(fc.constantFrom('497231b270c1', '0123456789ab'), { minLength: 1, maxLength: 5 }),
      },
      { requiredKeys: ['code', 'message'] },
    ),
  }),
  fc.record({
    type: fc.constant('heard' as const),
    request,
    hqTs: fc.integer({ min: -8.64e15, max: 8.64e15 }),
    ack: coverage,
    storing: optional(fc.boolean()),
    reconnectMs: optional(fc.nat(86_400_000)),
  }),
  fc.record({ type: fc.constant('credit' as const), frames: fc.nat(1024), creditBytes: optional(seq) }),
);

const tenths = fc.nat(10_000_000).map((value) => value / 10);
const heartbeat: fc.Arbitrary<Heartbeat> = fc
  .record(
    {
      ts: fc.integer({ min: -8.64e15, max: 8.64e15 }),
      state: fc.constantFrom('live' as const, 'catching-up' as const),
      breaker: fc.constantFrom('closed' as const, 'open' as const),
      sampled: seq,
      released: seq,
      pending: seq,
      pendingBytes: seq,
      thinned: seq,
      dropped: fc.dictionary(fc.constantFrom('overflow_oldest', 'rejected', '__proto__', 'a.b'), seq),
      disk: fc.constantFrom('good' as const, 'full' as const),
      lagMs: tenths,
      rttMs: fc.option(tenths),
      link: fc.record(
        {
          rate: fc.option(tenths),
          minRttMs: fc.option(tenths),
          queueMs: fc.option(tenths),
          bytesToday: seq,
          caughtUpMs: fc.option(tenths),
          never: fc.boolean(),
          live: fc.nat(100),
          backlog: fc.nat(100),
          paused: fc.string({ unit: 'grapheme', maxLength: 20 }),
        },
        { requiredKeys: ['rate', 'minRttMs', 'queueMs', 'live', 'backlog'] },
      ),
    },
    {
      requiredKeys: [
        'ts',
        'state',
        'breaker',
        'sampled',
        'released',
        'pending',
        'pendingBytes',
        'dropped',
        'lagMs',
        'rttMs',
      ],
    },
  )
  .map((one) => heartbeatSchema.parse(one));

/** As JSON has it: a field that is undefined is not there. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof CompactError) return error.code;
    throw error;
  }
  return 'none';
};

describe('compact messages', () => {
  it('from HQ come out as they went in', () => {
    fc.assert(
      fc.property(down, (message) => {
        expect(plain(decodeDown(encodeDown(message)))).toEqual(plain(message));
      }),
    );
  });

  it('with frames come out as they went in, whatever the frame', () => {
    const gap = (of: string) =>
      encodeGap({ epoch: of, firstSeq: 300, count: 7, tsMin: 1, tsMax: 2, reason: 'damaged' });
    const frames = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(gap(epoch), gap('ba9876543210'), gap(epoch).subarray(0, 10), new Uint8Array(5_000)),
    );
    fc.assert(
      fc.property(request, fc.constantFrom(...LANES), frames, (number, lane, frame) => {
        const bytes = encodeFrameMessage(number, { lane, frame, epoch });
        const message = decodeUp(bytes, { epoch, heartbeat: null });
        expect(message).toMatchObject({ type: 'frame', request: number, lane });
        if (message.type === 'frame') expect(new Uint8Array(message.frame)).toEqual(new Uint8Array(frame));
      }),
    );
    expect(encodeFrameMessage(1, { lane: 'live', frame: gap(epoch), epoch })).toHaveLength(
      gap(epoch).length - 9 + 2,
    );
  });

  it('with heartbeats say only what has changed, and HQ has all of it', () => {
    fc.assert(
      fc.property(fc.array(heartbeat, { minLength: 1, maxLength: 5 }), (all) => {
        let sent: KnownHeartbeat | null = null;
        let known: KnownHeartbeat | null = null;
        for (const [number, one] of all.entries()) {
          const next: KnownHeartbeat = { request: number, leaves: leavesOf(one) };
          const bytes = encodeHeartbeatMessage(next, sent);
          const message = decodeUp(bytes, { epoch, heartbeat: known });
          if (message.type !== 'heartbeat') throw new Error('another type');
          expect(plain(heartbeatFrom(message.leaves))).toEqual(plain(one));
          // The same once more, as a way that doubles messages would bring it.
          expect(decodeUp(bytes, { epoch, heartbeat: message })).toEqual(message);
          sent = next;
          known = message;
        }
      }),
    );
  });

  it('with a heartbeat that builds on one that HQ does not have are malformed', () => {
    const [first, second] = [5_000, 10_000].map((ts, index) => ({
      request: index,
      leaves: leavesOf({ ts, sampled: index }),
    })) as [KnownHeartbeat, KnownHeartbeat];
    const bytes = encodeHeartbeatMessage(second, first);
    expect(bytes.length).toBeLessThan(9);
    expect(codeOf(() => decodeUp(bytes, { epoch, heartbeat: null }))).toBe('malformed');
    expect(codeOf(() => decodeUp(bytes, { epoch, heartbeat: { request: 7, leaves: first.leaves } }))).toBe(
      'malformed',
    );
  });

  it('of garbage throw a CompactError and nothing else', () => {
    const base = { request: 3, leaves: leavesOf({ ts: 5, dropped: { rejected: 1 } }) };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        codeOf(() => decodeDown(bytes));
        codeOf(() => decodeUp(bytes, { epoch, heartbeat: base }));
      }),
      { numRuns: 2_000 },
    );
  });

  it('that were cut or go on throw a CompactError', () => {
    fc.assert(
      fc.property(down, fc.nat(), (message, at) => {
        const bytes = encodeDown(message);
        expect(codeOf(() => decodeDown(bytes.subarray(0, at % bytes.length)))).not.toBe('none');
        expect(codeOf(() => decodeDown(Uint8Array.of(...bytes, 0)))).not.toBe('none');
      }),
    );
  });

  it.each([
    ['a coverage beyond all seqs', [0x04 - 3, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 1]],
    ['a million ranges', [0x01, 1, 0, 5, 0xc0, 0x84, 0x3d, 1]],
    ['a credit of a million', [0x04, 0xc0, 0x84, 0x3d]],
    ['a text of a million', [0x02, 1, 0, 0, 0xc0, 0x84, 0x3d]],
  ])('refuse %s', (_what, bytes) => {
    expect(codeOf(() => decodeDown(Uint8Array.from(bytes)))).toBe('too_large');
  });

  it('refuse unknown types and flags', () => {
    for (const type of [0x00, 0x0f, 0x05])
      expect(codeOf(() => decodeDown(Uint8Array.of(type, 1)))).toBe('unknown_type');
    expect(codeOf(() => decodeDown(Uint8Array.of(0x82, 1, 0, 0, 0, 0)))).toBe('malformed');
    for (const type of [0x07, 0x20, 0x80, 0x18])
      expect(codeOf(() => decodeUp(Uint8Array.of(type, 1), { epoch, heartbeat: null }))).toBe('unknown_type');
  });

  it('with a flood of leaves are refused', () => {
    const path = (index: number) => [0x02, 2, 0x41 + (index % 26), 0x61 + Math.floor(index / 26), 2];
    const changes = Array.from({ length: 65 }, (_, index) => path(index)).flat();
    expect(codeOf(() => decodeUp(Uint8Array.of(0x08, 1, ...changes), { epoch, heartbeat: null }))).toBe(
      'too_large',
    );
  });
});
