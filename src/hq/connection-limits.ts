/** How many connections HQ takes, in all and of one address. */
import type { HqConfig } from './config.ts';

/** Files that HQ needs besides connections: those of its storage, and a few to spare. */
const OWN_FILES = 64;

export type ConnectionLimits = {
  readonly max: number;
  /** Never above `max`. */
  readonly maxPerAddress: number;
};

/**
 * Beyond what the process may open (`openFiles`) the system would drop connections without a word. One address gets
 * half of all unless its setting says otherwise, so that others still find room.
 */
export function connectionLimits(
  limits: Pick<HqConfig['limits'], 'maxConnections' | 'maxConnectionsPerAddress'>,
  openFiles: number,
): ConnectionLimits {
  const max = Math.max(1, Math.min(limits.maxConnections, openFiles - OWN_FILES));
  const asked = limits.maxConnectionsPerAddress;
  const half = Math.max(1, Math.floor(max / 2));
  return { max, maxPerAddress: asked === 0 ? half : Math.min(asked, max) };
}
