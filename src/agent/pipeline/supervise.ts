/** Keeps a source running: starts it again after a failure, and tells how it is. */
import { defer, finalize, type Observable, tap } from 'rxjs';
import { errorText } from '../../platform/error-text.ts';
import { rowCount } from '../../protocol/sample-block.ts';
import type { BackoffOptions } from '../../streams/backoff.ts';
import { retryWith } from '../../streams/retry-with.ts';
import type { RawRows, Source } from '../sources/source.ts';
import type { PipelineOptions, SourceStatus } from './pipeline-types.ts';

const RESTART: BackoffOptions = { initialMs: 1000, maxMs: 60_000, jitter: 'full' };
/** Before the jitter, so that a source that fails at once does not spin. */
const RESTART_LEAST_MS = 500;

export type SuperviseOptions = Pick<PipelineOptions, 'clock' | 'random' | 'emit'> & {
  readonly demand$: Observable<boolean>;
  /** Told of every change of state, never once a sample. */
  readonly onState: (state: SourceStatus['state']) => void;
};

/** The samples of `source` over all its lives. Never errors; completes when the source has no more. */
export function supervise(source: Source, options: SuperviseOptions): Observable<RawRows> {
  const { clock, random, emit, demand$, onState } = options;
  return defer(() => {
    let attempt = 0;
    let samples = 0;
    let running = false;
    const begin = () => {
      if (running) return;
      running = true;
      emit(
        attempt === 0
          ? { type: 'source_started', source: source.name }
          : { type: 'source_restarted', source: source.name, attempt },
      );
      onState({ kind: 'running' });
    };
    return defer(() => source.samples(demand$)).pipe(
      tap((rows) => {
        samples += rowCount(rows);
        if (!running) begin();
      }),
      retryWith<RawRows>(
        {
          classify: (error) => ({ kind: 'retry', reason: errorText(error), afterMs: RESTART_LEAST_MS }),
          backoff: RESTART,
          onRetry: (notice) => {
            running = false;
            attempt = notice.attempt;
            const { reason, delayMs } = notice;
            emit({ type: 'source_failed', source: source.name, reason, attempt, delayMs });
            onState({ kind: 'restarting', reason, attempt, delayMs });
          },
        },
        random,
        clock.scheduler,
      ),
      tap({ complete: () => emit({ type: 'source_completed', source: source.name, samples }) }),
      finalize(() => onState({ kind: 'ended' })),
    );
  });
}
