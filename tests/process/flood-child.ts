/**
 * Clients that speak the agents' protocol over real sockets and time HQ's answers: neighbours that keep to it, or one
 * that floods. Argument: a JSON document, see `orderSchema`. Orders on standard input, answers on standard output, a
 * JSON document a line:
 *
 *     (start)           {"event":"online"}     all have been accepted and their schemas taken
 *     window NAME       {"event":"window"}     what is sent from now on belongs to this window
 *     taken COUNT       {"event":"taken"}      so many frames of this window have been taken
 *     refused COUNT     {"event":"refused"}    so many frames of this window have been refused
 *     end {"event":"ended", …} nothing is sent any more and everything has been answered; can be repeated
 */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { interval } from 'rxjs';
import { connect } from 'socket.io-client';
import { z } from 'zod';
import { createSystemClock } from '../../src/platform/clock.ts';
import { systemIds } from '../../src/platform/ids.ts';
import {
  type FrameReply,
  frameReplySchema,
  helloReplySchema,
  LANES,
  type Lane,
  okReplySchema,
} from '../../src/protocol/events.ts';
import { encodeSamples } from '../../src/protocol/frame-codec.ts';
import { internSchema } from '../../src/protocol/schema-ref.ts';

const orderSchema = z.object({
  url: z.string(),
  /** Names of the clients; each is a connection. */
  names: z.array(z.string()),
  /** Of all of them together, evenly spread. */
  framesPerSecond: z.number(),
  /** The lane of the frames that are sent in a window; where there is none nothing is sent. */
  lanes: z.record(z.string(), z.enum(LANES)),
});
const order = orderSchema.parse(JSON.parse(process.argv[2] ?? '{}'));
const TICK_MS = 5;
const POLL_MS = 20;

const clock = createSystemClock();
const say = (document: object) => console.log(JSON.stringify(document));
const { ref, ...content } = internSchema({
  source: 'flood',
  boot: clock.bootId,
  series: [{ name: 'level', attributes: {}, unit: '1' }],
});
const schema = { ref, ...content };

/** By window. */
const ackMs: Record<string, number[]> = {};
const refusals: Record<string, Record<string, number>> = {};
let window = '';
let outstanding = 0;

async function client(agent: string) {
  const epoch = systemIds.hex(6);
  const socket = connect(`${order.url}/agents`, {
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
  });
  socket.on('connect_error', (error) => {
    throw error;
  });
  socket.on('disconnect', (reason) => {
    throw new Error(`HQ closed the connection of ${agent}: ${reason}`);
  });
  const reply = await socket.emitWithAck('hello', {
    protocol: 1,
    schema: 1,
    agent,
    epoch,
    instance: systemIds.hex(8),
    version: 'test',
    sampled: 0,
    released: 0,
    ts: clock.now(),
  });
  if (!helloReplySchema.parse(reply).ok) throw new Error(JSON.stringify(reply));
  const known = await socket.emitWithAck('schema', { ref, schema: content });
  if (!okReplySchema.parse(known).ok) throw new Error(JSON.stringify(known));

  let sampled = 0;
  /** Refused ones, which are sent again before anything new, whatever HQ asks for. */
  const again: Uint8Array[] = [];
  const next = (): Uint8Array => {
    sampled += 1;
    const sample = { schema, ts: clock.now(), mono: clock.mono(), values: [sampled] };
    return encodeSamples({
      epoch,
      firstSeq: sampled,
      samples: [{ ...sample, anomalies: [], diagnostics: [] }],
    });
  };
  const send = (lane: Lane) => {
    const bytes = again.shift() ?? next();
    const mine = window;
    const sentAt = clock.precise();
    outstanding += 1;
    socket.emit('frame', { lane }, bytes, (answer: unknown) => {
      outstanding -= 1;
      const reply: FrameReply = frameReplySchema.parse(answer);
      if (reply.ok) {
        const times = ackMs[mine] ?? [];
        ackMs[mine] = times;
        times.push(clock.precise() - sentAt);
        return;
      }
      const { code } = reply.error;
      again.push(bytes);
      refusals[mine] = { ...refusals[mine], [code]: (refusals[mine]?.[code] ?? 0) + 1 };
    });
  };
  return { agent, send, account: () => ({ agent, sampled, refused: again.length }) };
}

const inWindow = {
  taken: () => ackMs[window]?.length ?? 0,
  refused: () => Object.values(refusals[window] ?? {}).reduce((sum, count) => sum + count, 0),
};

const clients = await Promise.all(order.names.map(client));
let due = clock.precise();
let sent = 0;
interval(TICK_MS, clock.scheduler).subscribe(() => {
  for (; due <= clock.precise(); due += 1_000 / order.framesPerSecond) {
    const lane = order.lanes[window];
    if (lane === undefined) continue;
    clients[sent % clients.length]?.send(lane);
    sent += 1;
  }
});
say({ event: 'online' });
for await (const line of createInterface({ input: process.stdin })) {
  const [word, value = ''] = line.split(' ');
  if (word === 'window' || word === 'end') window = value;
  if (word === 'window') say({ event: 'window' });
  if (word === 'taken' || word === 'refused') {
    while (inWindow[word]() < Number(value)) await delay(POLL_MS);
    say({ event: word });
  }
  if (word === 'end') {
    while (outstanding > 0) await delay(POLL_MS);
    say({ event: 'ended', ackMs, refusals, accounts: clients.map(({ account }) => account()) });
  }
}
