/** What is known of one agent's disk: the frames on it now, and by epoch everything that ever was. */
import { type Coverage, EMPTY_COVERAGE } from '../../src/protocol/coverage.ts';
import type { FrameKind } from '../../src/protocol/frame.ts';
import type { Archive } from './bucket-truth.ts';
import type { Content } from './contents.ts';
import type { Violations } from './violations.ts';

export type HeldFrame = {
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
  readonly kind: FrameKind;
};

export type EpochTruth = {
  /** Every seq that was ever durable as a sample. */
  readonly contents: Map<number, Content>;
  /** The same, of seqs that HQ holds and the disk has gone back behind: they may be given out again. */
  readonly delivered: Map<number, Content>;
  /** When the newest seqs were first committed, ms of virtual time. */
  readonly commits: { readonly seq: number; readonly at: number }[];
  /** The newest sample that was ever durable at a seq, whatever became of the disk. */
  readonly originals: Map<number, Content>;
  /** Seqs that a gap ever stood for on this disk. */
  givenUp: Coverage;
  /** Seqs that a thinned frame ever stood for on this disk. */
  thinned: Coverage;
  /** Seqs that went with a disk before they were at HQ. */
  destroyed: Coverage;
};

export type DiskTruth = {
  readonly agent: string;
  readonly archive: Archive;
  readonly epochs: Map<string, EpochTruth>;
  /** The frames on the disk now, by key. */
  readonly held: Map<string, HeldFrame>;
  /** The epoch under which a sample was last written, by its identity. */
  readonly places: Map<number, string>;
  readonly now: () => number;
  readonly violations: Violations;
  /** What HQ has ever held durably of an epoch. */
  readonly everAtHq: (epoch: string) => Coverage;
};

export function epochIn({ epochs }: DiskTruth, epoch: string): EpochTruth {
  let truth = epochs.get(epoch);
  if (truth === undefined) {
    truth = {
      contents: new Map(),
      delivered: new Map(),
      commits: [],
      originals: new Map(),
      givenUp: EMPTY_COVERAGE,
      thinned: EMPTY_COVERAGE,
      destroyed: EMPTY_COVERAGE,
    };
    epochs.set(epoch, truth);
  }
  return truth;
}
