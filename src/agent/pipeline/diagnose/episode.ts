/** Turns judgements into episodes: true once when a condition begins. */
export type Episode = (holds: boolean | null) => boolean;

/**
 * `clearAfter` as in {@link file://./rule.ts}: judgements in a row to the contrary that end the episode; 0: each `true`
 * begins one.
 */
export function createEpisode(clearAfter: number): Episode {
  let open = false;
  let contrary = 0;
  return (holds) => {
    if (holds === null) return false;
    if (holds) {
      contrary = 0;
      const begins = !open;
      open = clearAfter > 0;
      return begins;
    }
    if (open) {
      contrary += 1;
      if (contrary >= clearAfter) open = false;
    }
    return false;
  };
}
