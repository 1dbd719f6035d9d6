import type { BenchResult } from '../result.ts';

/** Prints results as tables for people. */
export function print(results: readonly BenchResult[]): void {
  for (const { title, rows } of results) {
    console.log(`\n${title}`);
    for (const { name, value, unit } of rows) {
      const figure = value.toLocaleString('en', { maximumFractionDigits: 6 });
      console.log(`  ${name.padEnd(60)} ${figure.padStart(12)} ${unit}`);
    }
  }
}
