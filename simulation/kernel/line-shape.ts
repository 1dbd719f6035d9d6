/** How the line of an agent is, and what is wrong with it. */
export type WireFaults = {
  /** One-way delay of a message, ms. */
  delayMs: readonly [least: number, most: number];
  /** Nothing gets through in this direction; what is sent waits. */
  upLost: boolean;
  downLost: boolean;
  /** Connections end and none can be made. */
  cut: boolean;
  /** Share of messages that vanish, and that arrive twice. */
  loss: number;
  doubled: number;
  /** Bytes per ms, headers included, each way; infinite: nothing waits. */
  upRate: number;
  downRate: number;
};

/** What an agent's line is when nothing is wrong with it. */
export type LineShape = Readonly<Pick<WireFaults, 'delayMs' | 'upRate' | 'downRate'>>;

/** A line on which bytes take no time. */
export function freeLine(delayMs: LineShape['delayMs']): LineShape {
  return { delayMs, upRate: Number.POSITIVE_INFINITY, downRate: Number.POSITIVE_INFINITY };
}
