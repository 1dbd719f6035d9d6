/** What a benchmark yields. Its baselines are rows of the same run, so that ratios hold on a noisy machine. */
export type BenchRow = { readonly name: string; readonly value: number; readonly unit: string };
export type BenchResult = { readonly title: string; readonly rows: readonly BenchRow[] };

/** Rounds to three significant digits; whole numbers stay whole. */
export function rounded(value: number): number {
  if (!Number.isFinite(value) || value === 0) return value;
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return Number(value.toFixed(Math.min(digits, 6)));
}

/** The value below which a share (0 … 1) of them lies; NaN when there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
