/**
 * Another engine: each question reaches the store later, and each answer comes later still, in an order that may be
 * another one. Frames of one agent stay in their order, as each append waits for the one before it.
 */
import { concatMap, delay, type Observable, type SchedulerLike, timer } from 'rxjs';
import type { HqStore } from '../store.ts';

export type Lateness = {
  readonly scheduler: SchedulerLike;
  /** Of the next question, and of the next answer, ms. */
  readonly delayMs: () => number;
};

export function lateStore(store: HqStore, { scheduler, delayMs }: Lateness): HqStore {
  const late =
    <A extends unknown[], T>(ask: (...args: A) => Observable<T>) =>
    (...args: A): Observable<T> =>
      timer(delayMs(), scheduler).pipe(
        concatMap(() => ask(...args)),
        delay(delayMs(), scheduler),
      );
  return {
    ...store,
    append: late(store.append),
    epoch: late(store.epoch),
    noteEpoch: late(store.noteEpoch),
    holderOf: late(store.holderOf),
    agents: late(store.agents),
    agent: late(store.agent),
    retire: late(store.retire),
    purge: late(store.purge),
    purgeOf: late(store.purgeOf),
    putSchema: late(store.putSchema),
    schemas: late(store.schemas),
    lacks: late(store.lacks),
    schema: late(store.schema),
    series: late(store.series),
    seriesKeys: late(store.seriesKeys),
    ledger: late(store.ledger),
    samples: late(store.samples),
    buckets: late(store.buckets),
    arrivals: late(store.arrivals),
    custody: late(store.custody),
    events: late(store.events),
    saveEvents: late(store.saveEvents),
    anomalies: late(store.anomalies),
    numbers: late(store.numbers),
    lastSampleTs: late(store.lastSampleTs),
    alarms: late(store.alarms),
    labels: late(store.labels),
    saveLabels: late(store.saveLabels),
    saveAlarms: late(store.saveAlarms),
    savePauses: late(store.savePauses),
    saveRhythms: late(store.saveRhythms),
    ingestHistory: late(store.ingestHistory),
    saveIngestHistory: late(store.saveIngestHistory),
  };
}
