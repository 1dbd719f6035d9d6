/** What both sides agree on in hello. */
import type { Coverage } from '../../../protocol/coverage.ts';
import {
  COMPACT_PROTOCOL,
  type Hello,
  type HelloReply,
  PROTOCOL_VERSION,
  PROTOCOLS,
} from '../../../protocol/events.ts';
import { coveragePage, wholeCoverage } from './answered-coverage.ts';

/** The highest version that both speak. */
export function protocolFor({
  protocol,
  protocols = [],
}: Pick<Hello, 'protocol' | 'protocols'>): number | undefined {
  return PROTOCOLS.findLast((one) => one === protocol || protocols.includes(one));
}

/**
 * The version to go on with. Pages are part of version 2: an agent of version 1 would take the first one for all of it.
 */
export function agreed(
  hello: Hello,
  coverage: Coverage,
): Pick<Extract<HelloReply, { readonly ok: true }>, 'protocol' | 'ack' | 'more'> {
  if (protocolFor(hello) !== COMPACT_PROTOCOL)
    return { protocol: PROTOCOL_VERSION, ack: wholeCoverage(coverage) };
  const { ack, more } = coveragePage(coverage);
  return { protocol: COMPACT_PROTOCOL, ack, ...(more ? { more } : {}) };
}

/** How long HQ took for its answer: agents that name the versions they speak measure their link by it. */
export function heldFields({ protocols }: Hello, ms: number): { readonly heldMs?: number } {
  return protocols === undefined ? {} : { heldMs: Math.round(ms) };
}
