/**
 * A LinkSession over any transport that can ask and be answered: answers are parsed, as nobody vouches for the other
 * side.
 */
import { concatMap, EMPTY, expand, last, map, type Observable, of } from 'rxjs';
import { problemsOf } from '../../platform/plain-error.ts';
import { type AgentMessageName, type AgentMessages, agentMessages } from '../../protocol/agent-messages.ts';
import { unite } from '../../protocol/coverage.ts';
import type { HelloReply } from '../../protocol/events.ts';
import { LinkError, type LinkSession } from './link.ts';

/**
 * Sends when subscribed, emits the answer as it came and completes; errors with a LinkError when the connection ends
 * first.
 */
export type Ask = (event: AgentMessageName, args: readonly unknown[]) => Observable<unknown>;

/** What a transport knows and counts of its connection. */
export type Meter = Pick<LinkSession, 'way' | 'joined' | 'traffic' | 'unsent'>;

const MAX_PROBLEM = 300;
/** Ten times what HQ keeps of one epoch. */
const MAX_RANGES = 100_000;

/** An answer that is not what the protocol says is a LinkError of kind `protocol`. */
export function createParsedSession(ask: Ask, meter: Meter): LinkSession {
  const request = <N extends AgentMessageName>(event: N, ...args: AgentMessages[N]['args']) =>
    ask(event, args).pipe(
      map((answer): AgentMessages[N]['reply'] => {
        const parsed = agentMessages[event].reply.safeParse(answer);
        if (parsed.success) return parsed.data;
        const problem = problemsOf(parsed.error, MAX_PROBLEM);
        throw new LinkError('protocol', `HQ's answer to ${event} is malformed: ${problem}`);
      }),
    );
  /** The rest of a coverage that came as a first page; each page begins where the one before ended. */
  const whole = (first: HelloReply): Observable<HelloReply> =>
    of(first).pipe(
      expand((reply) => {
        if (!reply.ok || reply.more !== true) return EMPTY;
        const after = reply.ack.ranges.at(-1)?.[1] ?? reply.ack.contiguous;
        return request('coverage', { after }).pipe(
          map((page): HelloReply => {
            if (!page.ok) return page;
            const ack = unite(reply.ack, page.ack);
            // A page that brings nothing new would be asked for again for ever.
            const stuck = page.more && (ack.ranges.at(-1)?.[1] ?? ack.contiguous) <= after;
            if (stuck || ack.ranges.length > MAX_RANGES)
              throw new LinkError('protocol', "HQ's coverage has no end.");
            const ranges = ack.ranges.map(([start, end]): [number, number] => [start, end]);
            return { ...reply, ack: { contiguous: ack.contiguous, ranges }, more: page.more };
          }),
        );
      }),
      last(),
    );
  return {
    hello: (hello) => request('hello', hello).pipe(concatMap(whole)),
    schema: (message) => request('schema', message),
    frame: (meta, frame) => request('frame', meta, frame),
    heartbeat: (heartbeat) => request('heartbeat', heartbeat),
    goodbye: (goodbye) => request('goodbye', goodbye),
    way: meter.way,
    traffic: meter.traffic,
    unsent: meter.unsent,
  };
}
