/**
 * A bottleneck on virtual time: what is sent waits its turn, takes its bytes over the rate, and is answered a round
 * trip later.
 */
import { VirtualTimeScheduler } from 'rxjs';
import { createLinkGauge, type LinkGauge } from '../../src/agent/uplink/link-gauge.ts';
import { hasRoomFor } from '../../src/agent/uplink/link-window.ts';
import { OPEN_GATE } from '../../src/agent/uplink/metering/gate.ts';
import { onTheWire } from '../../src/agent/uplink/wire-bytes.ts';

export type VirtualLinkOptions = {
  /** Bytes per ms. */
  rate: number;
  /** ms, without queue and transmission. */
  roundTripMs: number;
  /** What HQ adds to an answer, ms; the number of the answer is given, and when it would be there. */
  jitterMs?: (answer: number, at: number) => number;
  /** Whether the answer never comes. */
  isLost?: (answer: number) => boolean;
  readonly queueTargetMs?: number;
  readonly maxFrames?: number;
};

export function createVirtualLink(link: VirtualLinkOptions) {
  const scheduler = new VirtualTimeScheduler();
  const gauge: LinkGauge = createLinkGauge({
    queueTargetMs: link.queueTargetMs ?? 250,
    maxFrames: link.maxFrames ?? 8,
    clock: { precise: () => scheduler.frame },
    gate: OPEN_GATE,
  });
  let freeAt = 0;
  let inFlight = 0;
  let backlogInFlight = 0;
  let frames = 0;
  let answers = 0;
  let carried = 0;
  let backlog = false;
  let paused = false;
  let worstQueueMs = 0;
  let worstLiveQueueMs = 0;

  const send = (bytes: number, lane: 'live' | 'backlog' = 'live'): void => {
    const wire = onTheWire(bytes);
    const isBacklog = lane === 'backlog';
    if (isBacklog) backlogInFlight += wire;
    const id = gauge.sent(bytes);
    const { frame: now } = scheduler;
    worstQueueMs = Math.max(worstQueueMs, freeAt - now);
    if (!isBacklog) worstLiveQueueMs = Math.max(worstLiveQueueMs, freeAt - now);
    freeAt = Math.max(freeAt, now) + wire / link.rate;
    inFlight += wire;
    frames += 1;
    answers += 1;
    const answer = answers;
    scheduler.schedule(
      () => {
        carried += wire;
        inFlight -= wire;
        if (isBacklog) backlogInFlight -= wire;
        frames -= 1;
        if (link.isLost?.(answer) === true) gauge.abandoned(id);
        else gauge.answered(id);
        pump();
      },
      freeAt - now + link.roundTripMs + (link.jitterMs?.(answer, freeAt + link.roundTripMs) ?? 0),
    );
  };
  const pauseFor = (ms: number): void => {
    if (paused) return;
    paused = true;
    scheduler.schedule(
      () => {
        paused = false;
        pump();
      },
      Math.max(1, ms),
    );
  };
  const pump = (): void => {
    if (!backlog) return;
    for (;;) {
      const window = gauge.window();
      const { pieceBytes } = window;
      if (frames >= (link.maxFrames ?? 8)) return;
      if (!hasRoomFor(window, { bytes: inFlight, backlogBytes: backlogInFlight }, pieceBytes)) return;
      if (window.pauseMs > 0) {
        pauseFor(window.pauseMs);
        return;
      }
      send(pieceBytes, 'backlog');
    }
  };
  gauge.connected();
  return {
    link,
    gauge,
    send,
    now: () => scheduler.frame,
    inFlightBytes: () => inFlight,
    backlogInFlightBytes: () => backlogInFlight,
    /** There is always more to be sent from now on, or is not. */
    setBacklog: (has: boolean) => {
      backlog = has;
      pump();
    },
    /**
     * Lets `ms` pass, looking at the window ten times a second as an uplink with live samples would; what was measured
     * meanwhile.
     */
    run: (ms: number, live?: { readonly everyMs: number; readonly bytes: number }) => {
      const before = carried;
      const until = scheduler.frame + ms;
      worstQueueMs = 0;
      worstLiveQueueMs = 0;
      let nextLive = scheduler.frame;
      while (scheduler.frame < until) {
        const next = Math.min(until, scheduler.frame + 100);
        scheduler.maxFrames = next;
        scheduler.flush();
        scheduler.frame = next;
        if (live !== undefined && next >= nextLive) {
          nextLive += live.everyMs;
          send(live.bytes);
        }
        pump();
      }
      return { use: (carried - before) / (link.rate * ms), worstQueueMs, worstLiveQueueMs };
    },
  };
}
