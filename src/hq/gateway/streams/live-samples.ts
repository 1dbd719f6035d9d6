/**
 * Samples as they are stored, for those who look on: decoded once for all of them, behind the commit and in turns with
 * other long work, so that nobody's ack waits for it.
 */
import { concatMap, defer, forkJoin, map, type Observable, of, Subject, tap } from 'rxjs';
import { decodeData, readHeader, schemaRefsOf } from '../../../protocol/frame-codec.ts';
import { type ExactNumber, jsonNumber } from '../../../protocol/json-number.ts';
import type { InternedSchema, SchemaRef } from '../../../protocol/sample.ts';
import { seriesKey } from '../../../protocol/series-key.ts';
import type { AgentRegistry, Appended, FrameLog, IngestFrame } from '../../store/store.ts';
import type { Turns } from '../../store/turns.ts';
import type { StreamFilter } from './stream-filter.ts';

export type LiveSample = {
  readonly agent: string;
  readonly source: string;
  readonly ts: number;
  readonly arrivalTs: number;
  /** As JSON, with the series that the filter wants; null when it has none of them. The same text for all who ask. */
  readonly json: (filter: Pick<StreamFilter, 'wantsSeries' | 'seriesText'>) => string | null;
};

export type LiveSamples = {
  readonly samples$: Observable<LiveSample>;
  /** Decodes what has come since. Emits once it is done; to be subscribed to again after that only. */
  readonly drain: () => Observable<unknown>;
  readonly close: () => void;
};

export type LiveSamplesOptions = {
  readonly store: Pick<FrameLog, 'appended$'> & Pick<AgentRegistry, 'schema'>;
  readonly turns: Turns;
  /** Whether anybody wants to see the agent. */
  readonly isWanted: (agent: string) => boolean;
  /** A frame came while too much waited: nobody will see it. */
  readonly onMissed: () => void;
};

/** What waits for being decoded, at most. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** Values of one frame beyond which its last samples only are shown. */
const MAX_FRAME_VALUES = 65_536;
const MAX_SCHEMAS = 20_000;

type Schema = { readonly source: string; readonly keys: readonly string[] };

export function createLiveSamples({ store, turns, isWanted, onMissed }: LiveSamplesOptions): LiveSamples {
  const samples$ = new Subject<LiveSample>();
  const schemas = new Map<string, Schema>();
  let waiting: IngestFrame[] = [];
  let bytes = 0;

  const listening = store.appended$.subscribe(({ frame, outcome }: Appended) => {
    // Backlog is history; thinned frames have no samples.
    if (frame.lane === 'backlog' || outcome.stored === 0 || !isWanted(frame.agent)) return;
    if (bytes + frame.bytes.length > MAX_WAITING_BYTES) {
      onMissed();
      return;
    }
    waiting.push(frame);
    bytes += frame.bytes.length;
  });

  const schemasOf = (agent: string, refs: readonly SchemaRef[]) => {
    const unknown = [...new Set(refs)].filter((ref) => !schemas.has(`${agent}\n${ref}`));
    if (unknown.length === 0) return of(null);
    return forkJoin(unknown.map((ref) => store.schema(agent, ref))).pipe(
      tap((found) => {
        if (schemas.size > MAX_SCHEMAS) schemas.clear();
        for (const schema of found)
          if (schema !== null) schemas.set(`${agent}\n${schema.ref}`, named(schema));
      }),
    );
  };
  function* decode(frames: readonly IngestFrame[]): Generator<void, null> {
    for (const frame of frames) {
      for (const sample of samplesIn(frame, (ref) => schemas.get(`${frame.agent}\n${ref}`)))
        samples$.next(sample);
      yield;
    }
    return null;
  }
  return {
    samples$: samples$.asObservable(),
    drain: () =>
      defer(() => {
        const frames = waiting.filter(({ bytes: all }) => readHeader(all).kind === 'data');
        waiting = [];
        bytes = 0;
        if (frames.length === 0) return of(null);
        const needed = new Map<string, SchemaRef[]>();
        for (const { agent, bytes: all } of frames)
          needed.set(agent, [...(needed.get(agent) ?? []), ...schemaRefsOf(all)]);
        return forkJoin([...needed].map(([agent, refs]) => schemasOf(agent, refs))).pipe(
          concatMap(() => turns.run(() => decode(frames))),
          map(() => null),
        );
      }),
    close: () => {
      listening.unsubscribe();
      samples$.complete();
    },
  };
}

const named = ({ source, series }: InternedSchema): Schema => ({ source, keys: series.map(seriesKey) });

function samplesIn(
  { agent, arrivalTs, bytes }: IngestFrame,
  schemaOf: (ref: SchemaRef) => Schema | undefined,
): readonly LiveSample[] {
  return decodeData(bytes).groups.flatMap(({ schemaRef, ts, columns }) => {
    const schema = schemaOf(schemaRef);
    if (schema === undefined) return [];
    const most = Math.max(1, Math.floor(MAX_FRAME_VALUES / Math.max(1, columns.length)));
    const samples: LiveSample[] = [];
    for (let row = Math.max(0, ts.length - most); row < ts.length; row += 1) {
      const values: [string, ExactNumber][] = [];
      for (const [index, key] of schema.keys.entries()) {
        const column = columns[index];
        if (column === undefined || column === null) continue;
        if (column.present !== null && column.present[row] !== 1) continue;
        values.push([key, jsonNumber(column.values[row] ?? Number.NaN)]);
      }
      samples.push(liveSample({ agent, source: schema.source, ts: ts[row] ?? 0, arrivalTs }, values));
    }
    return samples;
  });
}

function liveSample(
  head: Pick<LiveSample, 'agent' | 'source' | 'ts' | 'arrivalTs'>,
  values: readonly (readonly [string, ExactNumber])[],
): LiveSample {
  const texts = new Map<string, string | null>();
  return {
    ...head,
    json: ({ wantsSeries, seriesText }) => {
      const known = texts.get(seriesText);
      if (known !== undefined) return known;
      const own = values.filter(([key]) => wantsSeries(key));
      const text = own.length === 0 ? null : JSON.stringify({ ...head, values: Object.fromEntries(own) });
      texts.set(seriesText, text);
      return text;
    },
  };
}
