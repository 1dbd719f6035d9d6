import { vi } from 'vitest';

/** Left alone, vi.waitFor gives up after a second: a busy machine may need longer for anything. */
const PATIENCE_MS = 120_000;

/** Resolves with what `condition` returns once it neither throws nor rejects. `interval`: between two looks, ms. */
export function eventually<T>(
  condition: () => T | Promise<T>,
  { interval = 50 }: { readonly interval?: number } = {},
): Promise<T> {
  return vi.waitFor(condition, { timeout: PATIENCE_MS, interval });
}
