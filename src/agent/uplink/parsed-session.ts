/** A LinkSession over any transport that can ask and be answered: answers are parsed, as nobody vouches for the other side. */
import { map, type Observable } from 'rxjs';
import { z } from 'zod';
import {
  type AgentToHqEvents,
  frameReplySchema,
  heartbeatReplySchema,
  helloReplySchema,
  okReplySchema,
} from '../../protocol/events.ts';
import { LinkError, type LinkSession } from './link.ts';

/** Sends when subscribed, emits the answer as it came and completes; errors with a LinkError when the connection ends first. */
export type Ask = (event: keyof AgentToHqEvents, args: readonly unknown[]) => Observable<unknown>;

const MAX_PROBLEM = 300;

/** An answer that is not what the protocol says is a LinkError of kind `protocol`. */
export function createParsedSession(ask: Ask): LinkSession {
  const request = <T>(event: keyof AgentToHqEvents, args: readonly unknown[], schema: z.ZodType<T>) =>
    ask(event, args).pipe(
      map((answer) => {
        const parsed = schema.safeParse(answer);
        if (parsed.success) return parsed.data;
        const problem = z.prettifyError(parsed.error).slice(0, MAX_PROBLEM);
        throw new LinkError('protocol', `HQ's answer to ${event} is malformed: ${problem}`);
      }),
    );
  return {
    hello: (hello) => request('hello', [hello], helloReplySchema),
    schema: (message) => request('schema', [message], okReplySchema),
    frame: (meta, frame) => request('frame', [meta, frame], frameReplySchema),
    heartbeat: (heartbeat) => request('heartbeat', [heartbeat], heartbeatReplySchema),
    goodbye: (goodbye) => request('goodbye', [goodbye], okReplySchema),
  };
}
