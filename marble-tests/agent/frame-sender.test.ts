/** What a frame waits for while its schema crosses a slow link, and what it says to an older HQ. */
import { map, NEVER, type Observable, of, timer, VirtualTimeScheduler } from 'rxjs';
import { expect, it } from 'vitest';
import { createFrameReliability } from '../../src/agent/uplink/frame-reliability.ts';
import { createFrameSender, type FrameSender, type Outcome } from '../../src/agent/uplink/frame-sender.ts';
import { createKnownSchemas } from '../../src/agent/uplink/known-schemas.ts';
import { type LinkSession, onlyWay } from '../../src/agent/uplink/link.ts';
import { createLinkGauge } from '../../src/agent/uplink/link-gauge.ts';
import { OPEN_GATE } from '../../src/agent/uplink/metering/gate.ts';
import type { FrameReply, Limits, OkReply } from '../../src/protocol/events.ts';
import { decodeData, encodeSamples } from '../../src/protocol/frame-codec.ts';
import type { Sample } from '../../src/protocol/sample.ts';
import { internSchema } from '../../src/protocol/schema-ref.ts';

const RATE = 0.3;
const WIDE = internSchema({
  source: 'csv',
  boot: 'boot-1',
  series: Array.from({ length: 400 }, (_, index) => ({
    name: `machine.room.channel.${index}`,
    attributes: {},
    unit: '1',
  })),
});

it('waits as long as the link needs for the schema, also with what stands behind it', () => {
  const scheduler = new VirtualTimeScheduler();
  const sender = createSender(scheduler, slowSession(scheduler));
  const outcomes: [seq: number, kind: Outcome['kind'], seconds: number][] = [];
  for (const firstSeq of [1, 2]) {
    deliver(sender, firstSeq).subscribe(({ kind }) => {
      if (kind !== 'confirmed') outcomes.push([firstSeq, kind, Math.round(scheduler.frame / 1_000)]);
    });
  }
  scheduler.flush();
  expect(outcomes.map(([seq, kind]) => [seq, kind])).toEqual([
    [1, 'delivered'],
    [2, 'delivered'],
  ]);
  // Longer than the ack timeout, and than what the frame alone may take.
  expect(outcomes[0]?.[2]).toBeGreaterThan(60);
});

/** Takes frames once it has the schema; everything crosses at {@link RATE}, one after another. */
function slowSession(scheduler: VirtualTimeScheduler): LinkSession {
  let freeAt = 0;
  /** Answered when so many bytes are through. */
  const crosses = (bytes: number): Observable<unknown> => {
    freeAt = Math.max(freeAt, scheduler.frame) + bytes / RATE;
    return timer(freeAt - scheduler.frame, scheduler);
  };
  let knows = false;
  const frame = (bytes: Uint8Array): Observable<FrameReply> =>
    crosses(bytes.length).pipe(
      map(
        (): FrameReply =>
          knows
            ? { ok: true, ack: { contiguous: 2, ranges: [] }, credit: 8 }
            : { ok: false, error: { code: 'unknown_schema', message: 'send it first', refs: [WIDE.ref] } },
      ),
    );
  const schema = (message: unknown): Observable<OkReply> =>
    crosses(JSON.stringify(message).length).pipe(
      map((): OkReply => {
        knows = true;
        return { ok: true };
      }),
    );
  return {
    way: onlyWay('http://hq'),
    hello: () => NEVER,
    schema,
    frame: (_, bytes) => frame(bytes),
    heartbeat: () => NEVER,
    goodbye: () => of({ ok: true }),
    traffic: () => ({ sent: 0, received: 0 }),
    unsent: () => 0,
  };
}

function createSender(scheduler: VirtualTimeScheduler, session: LinkSession): FrameSender {
  const clock = {
    now: () => scheduler.frame,
    mono: () => scheduler.frame,
    precise: () => scheduler.frame,
    bootId: 'boot-1',
    scheduler,
  };
  return createFrameSender({
    session,
    reliability: createFrameReliability({
      settings: {
        ackTimeoutMs: 10_000,
        backoffInitialMs: 1_000,
        backoffMaxMs: 60_000,
        breakerFailures: 5,
        breakerOpenMs: 60_000,
        breakerProbes: 2,
      },
      scheduler,
      random: { next: () => 0.5 },
    }),
    journal: { schema: () => WIDE },
    clock,
    gauge: createLinkGauge({ queueTargetMs: 250, maxFrames: 8, clock, gate: OPEN_GATE }),
    schemas: createKnownSchemas(),
  });
}

function deliver(
  sender: FrameSender,
  firstSeq: number,
  {
    anomalies = [],
    limits = {},
  }: { readonly anomalies?: Sample['anomalies']; readonly limits?: Partial<Limits> } = {},
): ReturnType<FrameSender['deliver']> {
  const sample = {
    schema: WIDE,
    ts: 0,
    mono: 0,
    values: WIDE.series.map(() => 1),
    anomalies,
    diagnostics: [],
  };
  const bytes = encodeSamples({ epoch: '0123456789ab', firstSeq, samples: [sample] });
  return sender.deliver({
    lane: 'live',
    shipment: {
      firstSeq,
      lastSeq: firstSeq,
      frames: [{ firstSeq, lastSeq: firstSeq, kind: 'data', notable: false, tsMin: 0, tsMax: 0, bytes }],
    },
    limits: { maxFrameBytes: 1e6, maxFrameSamples: 4096, maxSeries: 1_000, ...limits },
  });
}

it('tells what judged an anomaly only to an HQ that reads it', () => {
  const judgement = { method: 'mean_zscore', threshold: 4 } as const;
  const at = { startTs: 0, peakTs: 0, endTs: null };
  const figures = { peakValue: 1, peakZ: 5, mean: 0, stddev: 0.2 };
  const anomaly = { series: 0, state: 'open', ...at, ...figures, judgement } as const;
  const sentTo = (notes: number | undefined) => {
    const scheduler = new VirtualTimeScheduler();
    const sent: Uint8Array[] = [];
    const session: LinkSession = {
      ...slowSession(scheduler),
      frame: (_, bytes) => {
        sent.push(bytes);
        return of({ ok: true, ack: { contiguous: 2, ranges: [] }, credit: 8 });
      },
    };
    const limits = notes === undefined ? {} : { notes };
    deliver(createSender(scheduler, session), 1, { anomalies: [anomaly], limits }).subscribe();
    scheduler.flush();
    return sent.flatMap((bytes) =>
      decodeData(bytes).groups.flatMap(({ notes }) => notes[0]?.anomalies ?? []),
    );
  };
  const { judgement: _, ...plain } = anomaly;
  expect(sentTo(2)).toEqual([anomaly]);
  expect(sentTo(3)).toEqual([anomaly]);
  expect(sentTo(1)).toStrictEqual([plain]);
  expect(sentTo(undefined)).toStrictEqual([plain]);
});
