/** What the commits of a pipeline come to: counts, episodes of failure, and the events that go with them. */
import type { Appended } from '../../journal/port.ts';
import type { CommitStatus, PipelineOptions } from './pipeline-types.ts';

export type CommitReport = {
  readonly publish: (urgent: boolean) => void;
  /** Emits how many wait. */
  readonly count: () => void;
  readonly committed: (count: number, seconds: number) => void;
  readonly appended: (appended: Appended) => void;
  readonly failed: (reason: string, attempt: number) => void;
  /** The append is not tried again. */
  readonly failedForGood: (reason: string) => void;
  /** More than `limit` wait: some are about to be discarded. */
  readonly discarding: (limit: number) => void;
  readonly discarded: (count: number) => void;
};

export type CommitReportOptions = Pick<PipelineOptions, 'emit'> & {
  readonly onStatus: (status: CommitStatus, urgent: boolean) => void;
};

export function createCommitReport(options: CommitReportOptions, uncommitted: () => number): CommitReport {
  const { emit, onStatus } = options;
  let committed = 0;
  let discarded = 0;
  /** Of the present episode of failures. */
  let failure: string | null = null;
  let failures = 0;
  let discardedBefore = 0;
  let discarding = false;

  const publish = (urgent: boolean) => {
    onStatus({ uncommitted: uncommitted(), committed, discarded, failure }, urgent);
  };
  const count = () => emit({ type: 'uncommitted_changed', count: uncommitted() });
  const failed = (reason: string, attempt: number) => {
    emit({ type: 'commit_failed', reason, attempt });
    failures = attempt;
    if (failure === null) {
      discardedBefore = discarded;
      emit({ type: 'commit_failing', reason, waiting: uncommitted() });
    }
    failure = reason;
    count();
    publish(true);
  };
  const recovered = () => {
    if (failure === null) return;
    emit({ type: 'commit_recovered', attempts: failures, discarded: discarded - discardedBefore });
    failure = null;
    discarding = false;
    publish(true);
  };

  return {
    publish,
    count,
    committed: (samples, seconds) => {
      committed += samples;
      emit({ type: 'samples_committed', count: samples, seconds });
    },
    appended: ({ kind, frame }) => {
      recovered();
      if (kind === 'dropped') emit({ type: 'samples_refused', count: frame.lastSeq - frame.firstSeq + 1 });
    },
    failed,
    failedForGood: (reason) => failed(reason, failures + 1),
    discarding: (limit) => {
      if (!discarding) emit({ type: 'discarding', limit });
      discarding = true;
    },
    discarded: (samples) => {
      discarded += samples;
      emit({ type: 'samples_discarded', count: samples });
    },
  };
}
