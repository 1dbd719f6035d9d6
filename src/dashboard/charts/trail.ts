/** The little curve alongside an agent's pending samples. Pure. */
import type { AgentEntry } from '../state/fleet-state.ts';

/** Size of the picture that the paths are for. */
export const TRAIL_WIDTH = 72;
export const TRAIL_HEIGHT = 18;
const WINDOW_MS = 90_000;

/**
 * SVG paths of the trail, as a line and with the area below it: a scale of its own from zero, newest at the right. Null
 * when nothing was pending.
 */
export function trailPaths(
  trail: AgentEntry['trail'],
): { readonly line: string; readonly area: string } | null {
  const highest = Math.max(...trail.map((point) => point.pending), 0);
  const newest = trail.at(-1);
  const oldest = trail[0];
  if (highest === 0 || newest === undefined || oldest === undefined || trail.length < 2) return null;
  const x = (t: number) => Math.max(0, TRAIL_WIDTH - ((newest.t - t) / WINDOW_MS) * TRAIL_WIDTH).toFixed(1);
  const y = (pending: number) => (TRAIL_HEIGHT - 1 - (pending / highest) * (TRAIL_HEIGHT - 2)).toFixed(1);
  const line = `M${trail.map(({ t, pending }) => `${x(t)} ${y(pending)}`).join('L')}`;
  return { line, area: `${line}V${TRAIL_HEIGHT}H${x(oldest.t)}Z` };
}
