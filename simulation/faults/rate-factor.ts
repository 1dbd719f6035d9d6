/** How strongly a `link_rate` changes a line: up to 20 times slower or faster. */
const MOST = 20;

export function rateFactor(strength: number): number {
  return MOST ** (1 - 2 * strength);
}

/** The strength that makes a line so many times as fast. */
export function rateStrength(factor: number): number {
  return (1 - Math.log(factor) / Math.log(MOST)) / 2;
}
