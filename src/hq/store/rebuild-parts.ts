/** What can be made again of the rest of the store. `index`: all but frames, gaps and log; `rollups`: a part of it. */
export const REBUILDS = ['index', 'rollups'] as const;
export type Rebuild = (typeof REBUILDS)[number];
