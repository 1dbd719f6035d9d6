/** Credit as the wire has it: an agent that does not know of bytes is told of frames only. */
import type { Credit as CreditMessage } from '../../../protocol/events.ts';
import type { Credit } from './credit-window.ts';

type Bytes = { readonly creditBytes?: number };

const bytesIn = ({ bytes }: Credit): Bytes =>
  Number.isFinite(bytes) ? { creditBytes: Math.floor(bytes) } : {};

/** In the answers to hello and to frames. */
export function creditFields(credit: Credit): Bytes & { readonly credit: number } {
  return { credit: credit.frames, ...bytesIn(credit) };
}

/** As an event of its own. */
export function creditMessage(credit: Credit): CreditMessage {
  return { frames: credit.frames, ...bytesIn(credit) };
}
