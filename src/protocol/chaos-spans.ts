/** What chaos did and when, as HQ and a dashboard both keep it. Pure. */
import type { Chaos, ChaosSpan } from './api.ts';

/** Spans kept at most. */
export const MAX_SPANS = 200;

/** `before`: what chaos did until now; null: nobody knows. */
export function extendSpans(
  spans: readonly ChaosSpan[],
  before: Pick<Chaos, 'effect' | 'since'> | null,
  now: Pick<Chaos, 'effect' | 'since'>,
): readonly ChaosSpan[] {
  if (before !== null && before.effect === now.effect && before.since === now.since) return spans;
  const closed = spans.map((span) => (span.to === null ? { ...span, to: now.since } : span));
  if (now.effect === 'none') return closed;
  return [...closed, { effect: now.effect, from: now.since, to: null }].slice(-MAX_SPANS);
}
