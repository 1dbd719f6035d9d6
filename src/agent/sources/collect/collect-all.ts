/** Runs collectors side by side so that one that fails or hangs costs its own values only. */
import {
  AsyncSubject,
  catchError,
  defer,
  finalize,
  forkJoin,
  isObservable,
  map,
  type Observable,
  of,
  Subscription,
  throwIfEmpty,
  timeout,
} from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import { errorText } from '../../../platform/error-text.ts';
import type { Diagnostic, Series } from '../../../protocol/sample.ts';
import type { SourceEmit } from '../source.ts';
import type { Collector, Reading } from './collector.ts';

export type Round = { readonly readings: readonly Reading[]; readonly diagnostics: readonly Diagnostic[] };

export type CollectAllOptions = {
  readonly source: string;
  /** How long a round waits for a collector, ms. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly emit: SourceEmit;
};

export type CollectAll = {
  /** One round, in the order of the collectors; emits once. Never errors. */
  readonly round: () => Observable<Round>;
  /** Lets go of collectors that still hang. */
  readonly dispose: () => void;
};

type Outcome = { readonly readings: readonly Reading[]; readonly failure: string | null };

export function createCollectAll(collectors: readonly Collector[], options: CollectAllOptions): CollectAll {
  const running = new Subscription();
  const isolated = collectors.map((collector) => isolate(collector, options, running));
  return {
    round: () =>
      defer(() => {
        const parts = isolated.map((collect) => collect());
        const waiting = parts.filter((part) => isObservable(part));
        const answered = (answers: readonly Round[]) => {
          let next = 0;
          return joined(parts.map((part) => (isObservable(part) ? (answers[next++] ?? NOTHING) : part)));
        };
        return waiting.length === 0 ? of(answered([])) : forkJoin(waiting).pipe(map(answered));
      }),
    dispose: () => running.unsubscribe(),
  };
}

const NOTHING: Round = { readings: [], diagnostics: [] };

function joined(rounds: readonly Round[]): Round {
  return {
    readings: rounds.flatMap(({ readings }) => readings),
    diagnostics: rounds.flatMap(({ diagnostics }) => diagnostics),
  };
}

function isolate(
  collector: Collector,
  options: CollectAllOptions,
  running: Subscription,
): () => Round | Observable<Round> {
  const { source, clock, emit } = options;
  const timeoutMs = collector.timeoutMs ?? options.timeoutMs;
  let series: readonly Series[] = [];
  let hanging = false;
  let failing = false;

  // A collector that hangs is not asked again before it has answered: at most one of its requests is ever under way.
  const wait = (request: Observable<readonly Reading[]>): Observable<Outcome> => {
    const answer = new AsyncSubject<readonly Reading[]>();
    hanging = true;
    running.add(
      request
        .pipe(
          finalize(() => {
            hanging = false;
          }),
        )
        .subscribe(answer),
    );
    return answer.pipe(
      timeout({ first: timeoutMs, scheduler: clock.scheduler }),
      throwIfEmpty(() => new Error('ended without readings')),
      map((readings) => ({ readings, failure: null })),
      catchError((error: unknown) => of({ readings: [], failure: reasonOf(error, timeoutMs) })),
    );
  };
  const attempt = (): Outcome | Observable<Outcome> => {
    if (hanging) return { readings: [], failure: 'still no answer' };
    try {
      const answer = collector.collect();
      return isObservable(answer) ? wait(answer) : { readings: answer, failure: null };
    } catch (error) {
      return { readings: [], failure: reasonOf(error, timeoutMs) };
    }
  };

  const judge = ({ readings, failure }: Outcome): Round => {
    if (failure === null) {
      series = readings.map((reading) => reading.series);
      if (failing) emit({ type: 'collector_recovered', source, collector: collector.name });
      failing = false;
      return { readings, diagnostics: [] };
    }
    const empty = series.map((one) => ({ series: one, value: null }));
    if (failing) return { readings: empty, diagnostics: [] };
    failing = true;
    emit({ type: 'collector_failed', source, collector: collector.name, reason: failure });
    const detail = `collector ${collector.name}: ${failure.slice(0, 1000)}`;
    return { readings: empty, diagnostics: [{ code: 'stale', severity: 'warning', series: null, detail }] };
  };

  return () => {
    const outcome = attempt();
    return isObservable(outcome) ? outcome.pipe(map(judge)) : judge(outcome);
  };
}

function reasonOf(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${timeoutMs} ms`;
  return errorText(error);
}
