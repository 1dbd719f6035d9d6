/** Refusals as answers: the typed errors of the wire. */
import type { Hello, WireError, WireErrorCode } from '../../../protocol/events.ts';

export type Refused = { readonly ok: false; readonly error: WireError };

/** Room for the message in a wire error. */
const MAX_MESSAGE = 1000;

export function refuse(
  code: WireErrorCode,
  message: string,
  more: Omit<WireError, 'code' | 'message'> = {},
): Refused {
  return { ok: false, error: { code, message: message.slice(0, MAX_MESSAGE), ...more } };
}

export const refuseUnavailable = (message: string, retryAfterMs: number): Refused =>
  refuse('unavailable', message, { retryAfterMs });

export function isRefused(reply: object): reply is Refused {
  return 'ok' in reply && reply.ok === false;
}

/** The refusal of an agent that has delivered to another HQ, or null: to be asked before anything is accounted for. */
export function refuseOther({ agent, hq }: Hello, identity: string | null): Refused | null {
  if (hq === undefined || identity === null || hq === identity) return null;
  return refuse('other_hq', `HQ has the identity ${identity}, and ${agent} has delivered to ${hq}`);
}
