/** What a `probe-child` is asked. Apart from probe.ts, so that the child need not load what checks the answers. */
export type ProbeRequest =
  /** Opens the file with LMDB, reads every record. */
  | {
      readonly kind: 'walk';
      readonly path: string;
      readonly budgetMs: number;
      /** Whether another process may write meanwhile: pages then change under a reader that is not LMDB's. */
      readonly live: boolean;
    }
  /** Copies one snapshot of the file, which may be in use, into a fresh one, and flushes that. */
  | { readonly kind: 'copy'; readonly path: string; readonly target: string }
  /** Copies every record that can still be found into a fresh file. */
  | { readonly kind: 'salvage'; readonly path: string; readonly target: string; readonly reason: string };

/** The storage's own record that an incomplete salvage leaves; the first commit of the owner removes it. */
export const SALVAGE_RECORD = 'salvage';
