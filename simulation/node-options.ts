/**
 * For processes that play worlds, a few percent each: a world leaves much behind at once, and its code is spread wide
 * and never hot.
 */
export const NODE_OPTIONS: readonly string[] = ['--max-semi-space-size=64', '--always-sparkplug'];
