import { connect } from 'node:net';
import Fastify from 'fastify';
import { VirtualTimeScheduler } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { CHUNK_CHARACTERS, inChunks, sendChunks } from './send-chunks.ts';

let app = Fastify();
afterEach(() => app.close());

/** Serves an endless answer; tells how much of it was made, and lets its time pass. */
async function endless() {
  app = Fastify({ forceCloseConnections: true });
  const scheduler = new VirtualTimeScheduler(undefined, 0);
  const seen = { parts: 0, stalled: 0 };
  const parts = function* () {
    for (;;) {
      seen.parts += 1;
      yield 'x'.repeat(1000);
    }
  };
  app.get('/', (_request, reply) =>
    sendChunks(reply, parts(), {
      type: 'text/plain',
      clock: { scheduler },
      onStalled: () => (seen.stalled += 1),
    }),
  );
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  const socket = connect(Number(port), '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  const pass = (ms: number) => {
    scheduler.maxFrames += ms;
    scheduler.flush();
  };
  return { seen, socket, pass };
}

describe('an answer in chunks', () => {
  it('joins short parts and loses none', () => {
    const parts = Array.from({ length: 10_000 }, (_, index) => `${index},`);
    const chunks = [...inChunks(parts)];
    expect(chunks.join('')).toBe(parts.join(''));
    expect(chunks.length).toBe(Math.ceil(parts.join('').length / CHUNK_CHARACTERS));
    expect([...inChunks([])]).toEqual([]);
  });

  it('is made as far as its client takes it, and cut off when it takes nothing', async () => {
    const { seen, socket, pass } = await endless();
    let before = -1;
    await eventually(() => {
      const now = seen.parts;
      const isStill = now > 0 && now === before;
      before = now;
      expect(isStill).toBe(true);
    });
    const made = seen.parts;
    pass(120_000);
    expect(seen.stalled).toBe(0);
    pass(120_000);
    expect(seen.stalled).toBe(1);
    socket.resume();
    await eventually(() => expect(socket.destroyed).toBe(true));
    // What was on its way may still arrive; nothing is made after that.
    expect(seen.parts).toBeLessThan(made + 200);
  });
});
