/**
 * The journal's ledger: one small record, written in the same transaction as every change, so that it is always true of
 * what lies alongside it.
 */
import { z } from 'zod';
import { GAP_REASONS } from '../protocol/frame.ts';
import { epochSchema, MAX_SEQ } from '../protocol/sample.ts';

const count = z.number().int().min(0).max(MAX_SEQ);

const ledgerSchema = z.object({
  version: z.literal(1),
  epoch: epochSchema,
  /** Highest seq given out. */
  sampled: count,
  /** Every seq up to here is accounted for at HQ and gone: what lies before the first frame. */
  released: count,
  /** Unacked seqs that lie in data and thinned frames. */
  pending: count,
  /** Those of them that lie in thinned frames. */
  thinned: count.default(0),
  /** Frames, gaps included, and their encoded bytes. */
  frames: count,
  frameBytes: count,
  /** Seqs in data and thinned frames, acked or not. Null: in a ledger of a version that did not count them. */
  frameSamples: count.nullable().default(null),
  /** What they occupy on the disk; the quota is on this. */
  footprint: count,
  dropped: z.partialRecord(z.enum(GAP_REASONS), count),
  /** First data or thinned frame and the time of its earliest sample. */
  oldest: z.object({ seq: count, ts: z.number() }).nullable(),
  /** Whether HQ has ever acked anything: the acked coverage then exists. */
  hasAcked: z.boolean(),
  /** The last run (process) of the agent that HQ accepted, and how many have been. */
  greeting: z.object({ number: count, instance: z.string() }).nullable().default(null),
  /**
   * Highest seq given out when the first run since that hello began: HQ holds none beyond it. Null until such a run
   * appends.
   */
  begun: count.nullable().default(null),
  /**
   * The ledger had to be written again, or what it says may be old, and HQ has accepted no hello since: which run it
   * accepted last may be forgotten.
   */
  rebuilt: z.boolean().default(false),
  /** Identity of the HQ that the epoch was last said hello to; null: none, or none that told it. */
  hq: z.string().nullable().default(null),
  /** HQ says that another journal uses this epoch: the next open begins a new one. */
  forked: z.boolean().default(false),
  /**
   * Seqs that were passed over for safety, and that nobody may ever have been given: a new epoch has no need of them.
   */
  skipped: z.array(z.tuple([count, count])).default([]),
  /** Under way to a new epoch: frames before `from` have been moved there, and `next` is the seq of the next one. */
  renewal: z.object({ epoch: epochSchema, from: count, next: count }).nullable().default(null),
});
export type Ledger = z.infer<typeof ledgerSchema>;

/** Samples that HQ holds: all that are neither pending nor dropped. */
export function ackedSamples({ sampled, pending, dropped }: Ledger): number {
  return sampled - pending - droppedSamples(dropped);
}

export function droppedSamples(dropped: Ledger['dropped']): number {
  return Object.values(dropped).reduce((sum, samples) => sum + samples, 0);
}

export function emptyLedger(epoch: string): Ledger {
  return {
    version: 1,
    epoch,
    sampled: 0,
    released: 0,
    pending: 0,
    thinned: 0,
    frames: 0,
    frameBytes: 0,
    frameSamples: 0,
    footprint: 0,
    dropped: {},
    oldest: null,
    hasAcked: false,
    greeting: null,
    begun: null,
    rebuilt: false,
    hq: null,
    forked: false,
    skipped: [],
    renewal: null,
  };
}

/** What this process wrote last of its journals, which it reads back at each commit: that needs no second look. */
const written: string[] = [];
const MAX_WRITTEN = 8;

export function encodeLedger(ledger: Ledger): Uint8Array {
  const text = JSON.stringify(ledger);
  written.unshift(text);
  if (written.length > MAX_WRITTEN) written.pop();
  return Buffer.from(text);
}

/** Null when there is none or it makes no sense. */
export function decodeLedger(value: Uint8Array | undefined): Ledger | null {
  if (value === undefined) return null;
  try {
    const text = Buffer.from(value).toString();
    const ledger: unknown = JSON.parse(text);
    return written.includes(text) ? (ledger as Ledger) : ledgerSchema.parse(ledger);
  } catch {
    return null;
  }
}
