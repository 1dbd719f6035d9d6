import type { LinkWindow } from '../uplink/link-window.ts';

/** A link that is no bound. */
export const WIDE_WINDOW: LinkWindow = {
  bytes: 1e9,
  leastBytes: 1e9,
  liveBytes: 1e9,
  pieceBytes: 1e9,
  rate: null,
  pace: Number.POSITIVE_INFINITY,
  pauseMs: 0,
  isMeasured: false,
  allowed: { live: true, notable: true, late: true, backlog: true },
};
