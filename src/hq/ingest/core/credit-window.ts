/**
 * What one agent may have in flight in the backlog lane, enforced exactly.
 *
 * - Credit bounds what is in flight: sent and not answered. What has arrived and is not answered never exceeds it.
 * - When credit goes down, what was sent before the agent heard of it may still come: no more than the old credit less
 *   what had arrived. That much is reserved, and used up by what exceeds the new credit.
 * - A frame fits into bytes whatever its size when nothing else is in flight: else it could never be sent.
 */
export type Credit = { readonly frames: number; readonly bytes: number };

export type CreditWindow = {
  /** From now on the agent is told of this credit. */
  readonly announce: (credit: Credit) => void;
  /** A frame has arrived: whether it is within the credit. Then it is in flight until `answered`. */
  readonly admit: (bytes: number) => boolean;
  readonly answered: (bytes: number) => void;
  readonly announced: () => Credit;
};

export function createCreditWindow(): CreditWindow {
  let credit: Credit = { frames: 0, bytes: 0 };
  const flight = { frames: 0, bytes: 0 };
  const reserved = { frames: 0, bytes: 0 };

  const reserve = (unit: 'frames' | 'bytes', next: number) => {
    if (next < credit[unit]) reserved[unit] = Math.max(reserved[unit], credit[unit] - flight[unit]);
  };
  /** How far one more goes beyond the credit. */
  const excess = (unit: 'frames' | 'bytes', amount: number) =>
    Math.max(0, Math.min(amount, flight[unit] + amount - credit[unit]));

  return {
    announce: (next) => {
      reserve('frames', next.frames);
      reserve('bytes', next.bytes);
      credit = next;
    },
    admit: (bytes) => {
      const beyond = { frames: excess('frames', 1), bytes: excess('bytes', bytes) };
      const isAlone = flight.frames === 0 && beyond.frames === 0;
      if (beyond.frames > reserved.frames) return false;
      if (beyond.bytes > reserved.bytes && !isAlone) return false;
      reserved.frames -= beyond.frames;
      reserved.bytes = Math.max(0, reserved.bytes - beyond.bytes);
      flight.frames += 1;
      flight.bytes += bytes;
      return true;
    },
    answered: (bytes) => {
      flight.frames -= 1;
      flight.bytes -= bytes;
    },
    announced: () => credit,
  };
}
