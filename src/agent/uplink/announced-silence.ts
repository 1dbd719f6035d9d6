/**
 * What HQ announces of its pings, taken from the client's own use: the client ends a connection on which no ping came
 * in time, although a ping may wait behind a large answer on a slow link. The link watches for silence instead.
 */
import { z } from 'zod';

export type Engine = { readonly on: (event: 'handshake', listener: (data: object) => void) => unknown };

/** Socket.IO's own, before the handshake and where it announces nothing of use. */
const USUAL_MS = 45_000;
const LEAST_MS = 1_000;
/** No timer runs longer. */
const NEVER_MS = 2 ** 31 - 1;

const handshakeSchema = z.object({ pingInterval: z.number().positive(), pingTimeout: z.number().positive() });

/**
 * To be called before the handshake; gives the silence that HQ announces, ms: a connection that lives is never silent
 * for longer.
 */
export function takeAnnouncedSilence(engine: Engine): () => number {
  let announcedMs = USUAL_MS;
  engine.on('handshake', (data) => {
    const handshake = handshakeSchema.safeParse(data);
    if (handshake.success) {
      const { pingInterval, pingTimeout } = handshake.data;
      announcedMs = Math.min(NEVER_MS, Math.max(LEAST_MS, pingInterval + pingTimeout));
    }
    Object.assign(data, { pingInterval: 0, pingTimeout: NEVER_MS });
  });
  return () => announcedMs;
}
