/**
 * Figures as the schemas of messages want them. What an agent reckons can be a fraction, negative after a correction,
 * or no number at all; HQ refuses the whole message for one such figure, and a figure is worth less than the message.
 */
import { MAX_SEQ } from './sample.ts';

/** The last moment that a Date can have, ms. */
const MAX_MOMENT_MS = 8.64e15;

/** A count: whole, rounded up, not below 0. */
export function countOf(value: number): number {
  return Number.isNaN(value) ? 0 : Math.max(0, Math.min(MAX_SEQ, Math.ceil(value)));
}

/** An estimate, not below 0, and not so large that rounding makes it infinite; null where it is none. */
export function estimateOf(value: number | null): number | null {
  if (value === null || !Number.isFinite(value)) return null;
  return Math.max(0, Math.min(Number.MAX_SAFE_INTEGER, value));
}

/** A wall time, ms; null where it is none. */
export function momentOf(value: number | null): number | null {
  return value === null || !(Math.abs(value) <= MAX_MOMENT_MS) ? null : value;
}
