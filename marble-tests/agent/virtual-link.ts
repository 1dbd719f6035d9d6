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
  const line: Line = {
    link,
    scheduler,
    gauge,
    freeAt: 0,
    inFlight: 0,
    backlogInFlight: 0,
    frames: 0,
    answers: 0,
    carried: 0,
    backlog: false,
    paused: false,
    worstQueueMs: 0,
    worstLiveQueueMs: 0,
  };
  gauge.connected();
  return {
    link,
    gauge,
    send: (bytes: number, lane: 'live' | 'backlog' = 'live') => send(line, bytes, lane),
    now: () => scheduler.frame,
    inFlightBytes: () => line.inFlight,
    backlogInFlightBytes: () => line.backlogInFlight,
    /** There is always more to be sent from now on, or is not. */
    setBacklog: (has: boolean) => {
      line.backlog = has;
      pump(line);
    },
    /**
     * Lets `ms` pass, looking at the window ten times a second as an uplink with live samples would; what was measured
     * meanwhile.
     */
    run: (ms: number, live?: LiveFrames) => run(line, ms, live),
  };
}

type LiveFrames = { readonly everyMs: number; readonly bytes: number };

type Line = {
  readonly link: VirtualLinkOptions;
  readonly scheduler: VirtualTimeScheduler;
  readonly gauge: LinkGauge;
  freeAt: number;
  inFlight: number;
  backlogInFlight: number;
  frames: number;
  answers: number;
  carried: number;
  backlog: boolean;
  paused: boolean;
  worstQueueMs: number;
  worstLiveQueueMs: number;
};

function send(line: Line, bytes: number, lane: 'live' | 'backlog'): void {
  const { link, scheduler, gauge } = line;
  const wire = onTheWire(bytes);
  const isBacklog = lane === 'backlog';
  if (isBacklog) line.backlogInFlight += wire;
  const id = gauge.sent(bytes);
  const { frame: now } = scheduler;
  line.worstQueueMs = Math.max(line.worstQueueMs, line.freeAt - now);
  if (!isBacklog) line.worstLiveQueueMs = Math.max(line.worstLiveQueueMs, line.freeAt - now);
  line.freeAt = Math.max(line.freeAt, now) + wire / link.rate;
  line.inFlight += wire;
  line.frames += 1;
  line.answers += 1;
  const answer = line.answers;
  scheduler.schedule(
    () => {
      line.carried += wire;
      line.inFlight -= wire;
      if (isBacklog) line.backlogInFlight -= wire;
      line.frames -= 1;
      if (link.isLost?.(answer) === true) gauge.abandoned(id);
      else gauge.answered(id);
      pump(line);
    },
    line.freeAt - now + link.roundTripMs + (link.jitterMs?.(answer, line.freeAt + link.roundTripMs) ?? 0),
  );
}

function pauseFor(line: Line, ms: number): void {
  if (line.paused) return;
  line.paused = true;
  line.scheduler.schedule(
    () => {
      line.paused = false;
      pump(line);
    },
    Math.max(1, ms),
  );
}

function pump(line: Line): void {
  const { link, gauge } = line;
  if (!line.backlog) return;
  for (;;) {
    const window = gauge.window();
    const { pieceBytes } = window;
    if (line.frames >= (link.maxFrames ?? 8)) return;
    const load = { bytes: line.inFlight, backlogBytes: line.backlogInFlight };
    if (!hasRoomFor(window, load, pieceBytes)) return;
    if (window.pauseMs > 0) {
      pauseFor(line, window.pauseMs);
      return;
    }
    send(line, pieceBytes, 'backlog');
  }
}

function run(line: Line, ms: number, live?: LiveFrames) {
  const { scheduler } = line;
  const before = line.carried;
  const until = scheduler.frame + ms;
  line.worstQueueMs = 0;
  line.worstLiveQueueMs = 0;
  let nextLive = scheduler.frame;
  while (scheduler.frame < until) {
    const next = Math.min(until, scheduler.frame + 100);
    scheduler.maxFrames = next;
    scheduler.flush();
    scheduler.frame = next;
    if (live !== undefined && next >= nextLive) {
      nextLive += live.everyMs;
      send(line, live.bytes, 'live');
    }
    pump(line);
  }
  const { worstQueueMs, worstLiveQueueMs } = line;
  return { use: (line.carried - before) / (line.link.rate * ms), worstQueueMs, worstLiveQueueMs };
}
