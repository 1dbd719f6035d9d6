/**
 * Whether an agent's journal is the one that delivered before, or a copy of it: a cloned disk, a machine that was
 * rolled back. Both would give the same seqs to different samples, and what comes second would be taken for a
 * repetition.
 *
 * Each process of an agent is a run with a random name, `instance`. The journal notes the last run that HQ accepted,
 * durably and before that run sends a frame; HQ notes the same and whether a frame of that run has arrived. So what an
 * agent says it follows must be what HQ knows, and HQ can hold nothing beyond the seqs with which the first run since
 * then began, nor have heard of more than there are. Two exceptions: a run that HQ accepted and whose process ended
 * before it could note it, which delivered nothing; and a process that connects again to an HQ that has forgotten it.
 */
import type { Hello } from '../../../protocol/events.ts';

/** The last run that HQ accepted in an epoch. */
export type Run = {
  /** Counts the accepted runs of the journal, from 1. */
  readonly number: number;
  readonly instance: string;
  /** Whether a frame of it has been accounted. */
  readonly delivered: boolean;
};

/** `same`: it connects again. `follows`: it is the next one. `fork`: there are two journals of one epoch. */
export type RunVerdict = 'same' | 'follows' | 'fork';

export type Known = {
  readonly run: Run | null;
  /** Highest seq that HQ holds, or holds a gap for. */
  readonly highest: number;
  /** Highest seq that HQ has been told was given out: an agent tells of none that is not durable. */
  readonly sampled: number;
};

type Said = Pick<Hello, 'instance' | 'run' | 'sampled'>;

/** A process that was accepted and has noted it follows itself. */
function wasAccepted({ instance, run }: Pick<Said, 'instance' | 'run'>): boolean {
  return run?.after === instance;
}

/**
 * What to note of the run that is accepted: its number stays however often it connects, also to an HQ that has
 * forgotten it.
 */
export function acceptedRun(said: Pick<Said, 'instance' | 'run'>): Pick<Run, 'number' | 'instance'> | null {
  const { instance, run } = said;
  if (run === undefined) return null;
  return { number: wasAccepted(said) ? run.number - 1 : run.number, instance };
}

export function judgeRun({ run: known, highest, sampled }: Known, said: Said): RunVerdict {
  const { instance, run } = said;
  if (known?.instance === instance) return 'same';
  // Other implementations need not take part.
  if (run === undefined) return 'follows';
  // An HQ that kept no runs yet, or whose record of them was damaged: what it holds beyond may be this process's own.
  if (known === null && wasAccepted(said)) return 'follows';
  // It went back behind what it, or another one, has delivered, or has told of: those seqs were given to other samples.
  if (highest > run.begun || sampled > said.sampled) return 'fork';
  if (known === null) return 'follows';
  if (wasAccepted(said)) return known.number < run.number - 1 ? 'follows' : 'fork';
  const before = run.number - 1;
  // A backup of HQ was restored: it has forgotten runs, not made them up.
  if (before > known.number) return 'follows';
  if (before === known.number) {
    // All that HQ was told of, it was told before the runs began of which it accepted none.
    return run.after === known.instance && sampled <= run.begun ? 'follows' : 'fork';
  }
  return before === known.number - 1 && !known.delivered ? 'follows' : 'fork';
}
