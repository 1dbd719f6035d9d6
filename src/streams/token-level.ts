import { requireAbove } from './options.ts';

export type TokenLevelOptions = {
  /** Tokens that may gather while idle: the burst. Above 0. It starts full. */
  readonly capacity: number;
  /** Tokens a second; above 0. */
  readonly refillPerSecond: number;
};

/**
 * A token bucket without a timer, as in RFC 2697. What costs more than the capacity passes when it is full, and leaves
 * a debt.
 */
export type TokenLevel = {
  /** Takes the cost and gives 0; where it is not there, takes nothing and gives the ms until it would be. */
  readonly tryTake: (cost: number, nowMs: number) => number;
  /** Takes the cost in any case; gives the ms until it is paid for. */
  readonly take: (cost: number, nowMs: number) => number;
  /** What was taken and is not paid for yet. */
  readonly debt: (nowMs: number) => number;
};

export function createTokenLevel({ capacity, refillPerSecond }: TokenLevelOptions): TokenLevel {
  requireAbove('capacity', capacity, 0);
  requireAbove('refillPerSecond', refillPerSecond, 0);
  let tokens = capacity;
  let filledAt: number | null = null;
  /** Until there is enough for so much, ms. */
  const waitFor = (cost: number, nowMs: number): number => {
    tokens = Math.min(capacity, tokens + ((nowMs - (filledAt ?? nowMs)) * refillPerSecond) / 1000);
    filledAt = nowMs;
    const lacking = Math.min(cost, capacity) - tokens;
    return lacking > 0 ? (lacking * 1000) / refillPerSecond : 0;
  };
  return {
    tryTake: (cost, nowMs) => {
      const waitMs = waitFor(cost, nowMs);
      if (waitMs > 0) return Math.ceil(waitMs);
      tokens -= cost;
      return 0;
    },
    take: (cost, nowMs) => {
      const waitMs = waitFor(cost, nowMs);
      tokens -= cost;
      return waitMs;
    },
    debt: (nowMs) => {
      waitFor(0, nowMs);
      return Math.max(0, -tokens);
    },
  };
}
