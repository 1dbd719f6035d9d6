/** What an agent that is caught up sends and receives: by the second, and to connect again. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { carriedBetween, type LinkState, startLink } from '../../tests/support/link.ts';
import { watchFrames } from '../../tests/support/link-frames.ts';
import { AGENT, liveSource, type Parties, startAgentOf, startHqOf } from './link-run.ts';
import { until } from './processes.ts';

export type SteadyOptions = {
  /** `host`: the machine's own default series; `17`: what the backlogs of links are made of. */
  readonly source: 'host' | '17';
  /** How long bytes are counted, and on to the next frame: so that none is missed or half there. */
  readonly seconds: number;
  /** Frames after which connecting, schemas and a first estimate of the link are over. Default 15. */
  readonly warmUpFrames?: number;
};

export type SteadyRun = {
  readonly series: number;
  /** At the payload of TCP: without headers, and with all that Socket.IO and WebSocket add. */
  readonly upBytesPerSecond: number;
  readonly downBytesPerSecond: number;
  /** Both ways, from a cut of the connection to the first frame of the next one, without that frame. */
  readonly reconnectBytes: number;
};

const seriesSchema = z.object({ seriesCount: z.number() });
/** That frame has its answer then: it does not cross a second time. */
const ANSWERED_MS = 500;
const LINE = { bytesPerSecond: 1_250_000, delayMs: 10, queueMs: 100 };

export async function runSteady(
  parties: Parties,
  { source, seconds, warmUpFrames = 15 }: SteadyOptions,
): Promise<SteadyRun> {
  const { workshop } = parties;
  const hq = await startHqOf(parties, workshop.folder());
  let frames = 0;
  let lastMessageBytes = 0;
  let atLast: LinkState | undefined;
  const watch = watchFrames(0, ({ messageBytes }) => {
    // Once the relay has done with the moment.
    queueMicrotask(() => {
      frames += 1;
      lastMessageBytes = messageBytes;
      atLast = link.state();
    });
  });
  const link = await startLink({
    ...{ up: LINE, down: LINE, target: () => Number(new URL(hq.url).port) },
    onBytes: (connection, way, bytes) => {
      if (way === 'up') watch(connection, bytes);
    },
  });
  const frameAfter = (count: number) =>
    until('frames to come', () => (frames > count ? atLast : undefined), { everyMs: 20 });
  try {
    const spec = source === 'host' ? 'host:every=1s' : liveSource(workshop);
    startAgentOf(parties, { dataDir: workshop.folder(), hq: link.url, args: ['--source', spec] });
    const from = await frameAfter(warmUpFrames);
    await delay(seconds * 1000);
    const to = await frameAfter(frames);
    const [up, down] = [carriedBetween(from.up, to.up), carriedBetween(from.down, to.down)];
    await delay(ANSWERED_MS);
    const before = link.state();
    link.cut();
    const after = await frameAfter(frames);
    const bytes =
      carriedBetween(before.up, after.up).payloadBytes + carriedBetween(before.down, after.down).payloadBytes;
    return {
      series: await seriesOf(hq.url),
      upBytesPerSecond: (up.payloadBytes * 1000) / up.upMs,
      downBytesPerSecond: (down.payloadBytes * 1000) / down.upMs,
      reconnectBytes: bytes - lastMessageBytes,
    };
  } finally {
    link.close();
  }
}

async function seriesOf(url: string): Promise<number> {
  const document: unknown = await (await fetch(`${url}/api/v1/agents/${AGENT}`)).json();
  return seriesSchema.parse(document).seriesCount;
}
