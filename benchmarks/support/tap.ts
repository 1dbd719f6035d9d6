/**
 * A proxy between an agent and HQ that reads along and tells how old samples are when HQ's word that they are durable
 * passes by.
 */
import { connect, createServer } from 'node:net';
import { createSystemClock } from '../../src/platform/clock.ts';
import { CompactError } from '../../src/protocol/compact/compact-error.ts';
import { decodeDown } from '../../src/protocol/compact/down.ts';
import { decodeUp } from '../../src/protocol/compact/up.ts';
import { FrameError } from '../../src/protocol/frame.ts';
import { decodeData } from '../../src/protocol/frame-codec.ts';
import { createReader, OPCODE } from './websocket.ts';

export type Tap = {
  readonly url: string;
  /** Milliseconds from the time that each sample bears to the moment at which its ack came by; in order of the acks. */
  readonly ages: readonly number[];
  readonly close: () => void;
};

/**
 * `42/agents,ID["hello",…]` names the epoch of the frames that follow. What is binary from then on are compact messages
 * of protocol 2.
 */
const HELLO = /\["hello",.*"epoch":"([0-9a-f]{12})"/;

export async function startTap(target: number): Promise<Tap> {
  const clock = createSystemClock();
  const ages: number[] = [];
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    const readUp = createReader(true);
    const readDown = createReader(true);
    const waiting = new Map<number, readonly number[]>();
    let epoch: string | undefined;
    client.on('data', (chunk) => {
      upstream.write(chunk);
      for (const { opcode, payload } of readUp(chunk)) {
        if (opcode === OPCODE.text) epoch = HELLO.exec(payload.toString())?.[1] ?? epoch;
        else if (opcode === OPCODE.binary && epoch !== undefined) {
          const frame = frameIn(payload, epoch);
          if (frame !== null) waiting.set(frame.request, timesOf(frame.frame));
        }
      }
    });
    upstream.on('data', (chunk) => {
      const now = clock.now();
      client.write(chunk);
      for (const { opcode, payload } of readDown(chunk)) {
        for (const request of opcode === OPCODE.binary ? ackedIn(payload) : []) {
          for (const ts of waiting.get(request) ?? []) ages.push(now - ts);
          waiting.delete(request);
        }
      }
    });
    client.on('close', () => upstream.destroy()).on('error', () => upstream.destroy());
    upstream.on('close', () => client.destroy()).on('error', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return { url: `http://127.0.0.1:${port}`, ages, close: () => server.close() };
}

function frameIn(payload: Buffer, epoch: string): { request: number; frame: Uint8Array } | null {
  const message = readable(() => decodeUp(payload, { epoch, heartbeat: null }));
  return message?.type === 'frame' ? message : null;
}

function ackedIn(payload: Buffer): readonly number[] {
  const message = readable(() => decodeDown(payload));
  return message?.type === 'acked' ? message.requests : [];
}

/** Null where the message needs one that was not kept here: a heartbeat that says only what has changed. */
function readable<T>(decode: () => T): T | null {
  try {
    return decode();
  } catch (error) {
    if (error instanceof CompactError) return null;
    throw error;
  }
}

function timesOf(frame: Uint8Array): readonly number[] {
  try {
    return decodeData(frame).groups.flatMap(({ ts }) => [...ts]);
  } catch (error) {
    if (error instanceof FrameError) return [];
    throw error;
  }
}
