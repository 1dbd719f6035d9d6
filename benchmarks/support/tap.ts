/** A proxy between an agent and HQ that reads along and tells how old samples are when HQ's word that they are durable passes by. */
import { connect, createServer } from 'node:net';
import { createSystemClock } from '../../src/platform/clock.ts';
import { FrameError } from '../../src/protocol/frame.ts';
import { decodeData } from '../../src/protocol/frame-codec.ts';
import { createReader, OPCODE } from './websocket.ts';

export type Tap = {
  readonly url: string;
  /** Milliseconds from the time that each sample bears to the moment at which its ack came by; in order of the acks. */
  readonly ages: readonly number[];
  readonly close: () => void;
};

/** `451-/agents,ID["frame",…]` announces the binary message that follows; `43/agents,ID[…]` answers it. */
const FRAME = /^451-\/agents,(\d+)\["frame"/;
const ANSWER = /^43\/agents,(\d+)\[\{"ok":true/;

export async function startTap(target: number): Promise<Tap> {
  const clock = createSystemClock();
  const ages: number[] = [];
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    const readUp = createReader(true);
    const readDown = createReader(true);
    const waiting = new Map<string, readonly number[]>();
    let announced: string | undefined;
    client.on('data', (chunk) => {
      upstream.write(chunk);
      for (const { opcode, payload } of readUp(chunk)) {
        if (opcode === OPCODE.text) announced = FRAME.exec(payload.toString())?.[1] ?? announced;
        else if (opcode === OPCODE.binary && announced !== undefined) {
          waiting.set(announced, timesOf(payload));
          announced = undefined;
        }
      }
    });
    upstream.on('data', (chunk) => {
      const now = clock.now();
      client.write(chunk);
      for (const { payload } of readDown(chunk)) {
        const id = ANSWER.exec(payload.toString())?.[1];
        if (id === undefined) continue;
        for (const ts of waiting.get(id) ?? []) ages.push(now - ts);
        waiting.delete(id);
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

function timesOf(frame: Buffer): readonly number[] {
  try {
    return decodeData(frame).groups.flatMap(({ ts }) => [...ts]);
  } catch (error) {
    if (error instanceof FrameError) return [];
    throw error;
  }
}
