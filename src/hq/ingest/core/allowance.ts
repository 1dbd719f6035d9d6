/** A token bucket without a timer: says at once whether an amount may pass, and if not, when it might. */
export type Allowance = {
  /** 0: passed. Else ms until the amount would pass; nothing is taken then. */
  readonly take: (amount: number, nowMs: number) => number;
};

export type AllowanceOptions = {
  /** Amount that flows in, per second. */
  readonly perSecond: number;
  /** Most that can be saved up. An amount larger than this passes when the bucket is full. */
  readonly burst: number;
};

export function createAllowance({ perSecond, burst }: AllowanceOptions): Allowance {
  let level = burst;
  let since: number | null = null;
  return {
    take: (amount, nowMs) => {
      level = Math.min(burst, level + ((nowMs - (since ?? nowMs)) / 1000) * perSecond);
      since = nowMs;
      const needed = Math.min(amount, burst);
      if (level < needed) return Math.ceil(((needed - level) / perSecond) * 1000);
      level -= amount;
      return 0;
    },
  };
}
