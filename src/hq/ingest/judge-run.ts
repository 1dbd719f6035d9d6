/**
 * Whether an agent's journal is the one that delivered before, or a copy of it: a cloned disk, a machine that was rolled back. Both would
 * give the same seqs to different samples, and what comes second would be taken for a repetition.
 *
 * Each process of an agent is a run with a random name, `instance`. The journal notes the last run that HQ greeted, durably and before
 * that run sends a frame; HQ notes the same and whether a frame of that run has arrived. So what an agent says it follows must
 * be what HQ knows, and HQ can hold nothing beyond the seqs with which it began. The one exception is a run that HQ greeted and whose process ended before it could note it: that one delivered nothing.
 */
import type { Hello } from '../../protocol/events.ts';

/** The last run that HQ greeted in an epoch. */
export type Run = {
  /** Counts the greeted runs of the journal, from 1. */
  readonly number: number;
  readonly instance: string;
  /** Whether a frame of it has been booked. */
  readonly delivered: boolean;
};

/** `same`: it connects again. `follows`: it is the next one. `fork`: there are two journals of one epoch. */
export type RunVerdict = 'same' | 'follows' | 'fork';

export type Known = {
  readonly run: Run | null;
  /** Highest seq that HQ holds, or holds a gap for. */
  readonly highest: number;
};

export function judgeRun(
  { run: known, highest }: Known,
  { instance, run }: Pick<Hello, 'instance' | 'run'>,
): RunVerdict {
  if (known?.instance === instance) return 'same';
  // Other implementations need not take part.
  if (run === undefined) return 'follows';
  // It went back behind what it, or another one, has delivered.
  if (highest > run.begun) return 'fork';
  if (known === null) return 'follows';
  const before = run.number - 1;
  // A backup of HQ was restored: it has forgotten runs, not made them up.
  if (before > known.number) return 'follows';
  if (before === known.number) return run.after === known.instance ? 'follows' : 'fork';
  return before === known.number - 1 && !known.delivered ? 'follows' : 'fork';
}
