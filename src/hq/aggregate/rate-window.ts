/** Amounts a second over the last few seconds, in one-second slots; no timer of its own. */
export type RateWindow = {
  /** `nowMs`: monotonic, ms. */
  readonly add: (amount: number, nowMs: number) => void;
  /** Per second over the window. */
  readonly rate: (nowMs: number) => number;
};

/** Seconds that a rate is taken over. */
export const RATE_SECONDS = 10;

export function createRateWindow(seconds = RATE_SECONDS): RateWindow {
  const slots = new Float64Array(seconds);
  let total = 0;
  let current = 0;
  const advance = (nowMs: number) => {
    const second = Math.floor(nowMs / 1000);
    for (let steps = Math.min(seconds, second - current); steps > 0; steps -= 1) {
      const index = (second - steps + 1) % seconds;
      total -= slots[index] ?? 0;
      slots[index] = 0;
    }
    current = Math.max(current, second);
  };
  return {
    add: (amount, nowMs) => {
      advance(nowMs);
      const index = current % seconds;
      slots[index] = (slots[index] ?? 0) + amount;
      total += amount;
    },
    rate: (nowMs) => {
      advance(nowMs);
      return Math.max(0, total) / seconds;
    },
  };
}
