/** Refusals as answers: the typed errors of the wire. */
import type { WireError, WireErrorCode } from '../../protocol/events.ts';

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
