/** Sends long answers as the client takes them: what is not written yet is made when there is room for it. */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { interval } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';

/** Text that is written at a stretch, roughly. */
export const CHUNK_CHARACTERS = 16 * 1024;
/** A client that takes no more of its answer for so long is cut off, ms: a slow link takes a chunk within that. */
const STALL_MS = 120_000;

export type SendOptions = {
  readonly type: string;
  readonly clock: Pick<Clock, 'scheduler'>;
  /** Told before the connection of a client that takes nothing is closed. */
  readonly onStalled: () => void;
};

/** Answers with the text that `parts` gives; the parts are short, and come when they are asked for. */
export function sendChunks(
  reply: FastifyReply,
  parts: Iterable<string>,
  { type, clock, onStalled }: SendOptions,
): FastifyReply {
  let taken = 0;
  const chunks = function* () {
    for (const chunk of inChunks(parts)) {
      taken += 1;
      yield chunk;
    }
  };
  let before = -1;
  const watch = interval(STALL_MS, clock.scheduler).subscribe(() => {
    if (taken > before) before = taken;
    else {
      onStalled();
      reply.raw.destroy();
    }
  });
  reply.raw.once('close', () => watch.unsubscribe());
  if (reply.raw.destroyed) watch.unsubscribe();
  return reply.type(type).send(Readable.from(chunks(), { objectMode: false }));
}

/** Joins short parts; none is longer than a chunk and its last part. */
export function* inChunks(parts: Iterable<string>): Generator<string, void> {
  let held: string[] = [];
  let length = 0;
  for (const part of parts) {
    held.push(part);
    length += part.length;
    if (length < CHUNK_CHARACTERS) continue;
    yield held.join('');
    held = [];
    length = 0;
  }
  if (length > 0) yield held.join('');
}
