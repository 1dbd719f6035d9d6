/** What HQ's answers to a frame mean to its delivery. */
import type { Judgement, ReceiverHealth, Verdict } from '../../delivery/verdict.ts';
import type { WireError } from '../../protocol/events.ts';
import { FrameError } from '../../protocol/frame.ts';
import { LinkError, type LinkFailure } from './link.ts';

/** HQ answered a frame, or a schema that it needs, with a refusal. */
export class FrameRefused extends Error {
  override readonly name = 'FrameRefused';
  readonly wire: WireError;
  constructor(wire: WireError) {
    super(`HQ refuses the frame: ${wire.code}: ${wire.message}`);
    this.wire = wire;
  }
}

/** It can never be delivered, whatever the connection. */
export class Undeliverable extends Error {
  override readonly name = 'Undeliverable';
}

/** What the failure of a link shows of HQ; of all others, that HQ is not to blame. */
const HEALTH: ReadonlyMap<LinkFailure, ReceiverHealth> = new Map([
  ['timeout', 'silent'],
  ['protocol', 'silent'],
  ['closed', 'unknown'],
]);

export function judgeFrame(error: unknown): Judgement {
  if (error instanceof FrameRefused) return judgeRefusal(error.wire);
  if (error instanceof Undeliverable || error instanceof FrameError)
    return { verdict: poison(error.message), health: 'up' };
  // Over the next connection it is tried again.
  if (error instanceof LinkError) return { verdict: null, health: HEALTH.get(error.kind) ?? 'up' };
  return { verdict: null, health: 'up' };
}

function judgeRefusal({ code, message, retryAfterMs }: WireError): Judgement {
  switch (code) {
    case 'unavailable':
    case 'internal':
      return { verdict: { kind: 'retry', reason: code, afterMs: retryAfterMs }, health: 'down' };
    // It could, but not us, not now.
    case 'rate_limited':
      return { verdict: { kind: 'retry', reason: code, afterMs: retryAfterMs }, health: 'up' };
    case 'bad_frame':
    case 'too_large':
    case 'bad_request':
    // A frame that waited for HQ to take more series would keep its place for ever, and all others behind it.
    case 'too_many_series':
      return { verdict: poison(`${code}: ${message}`), health: 'up' };
    default:
      return { verdict: { kind: 'misconfigured', reason: message }, health: 'up' };
  }
}

/** HQ takes a frame whole or not at all, and names no sample. */
function poison(reason: string): Extract<Verdict, { readonly kind: 'poison' }> {
  return { kind: 'poison', records: 'unknown', reason };
}
