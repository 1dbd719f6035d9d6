import { COMPACT_PROTOCOL } from '../events.ts';

/** Whether HQ's answer to hello, which nobody has parsed yet, agrees on compact messages. */
export function agreesOnCompact(reply: unknown): boolean {
  if (typeof reply !== 'object' || reply === null) return false;
  return 'ok' in reply && reply.ok === true && 'protocol' in reply && reply.protocol === COMPACT_PROTOCOL;
}
