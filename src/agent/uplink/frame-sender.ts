/** Brings one shipment to HQ over one connection: splits, supplies schemas that HQ lacks, reports what came of it. */
import {
  catchError,
  concatMap,
  defer,
  EMPTY,
  finalize,
  forkJoin,
  from,
  last,
  map,
  merge,
  NEVER,
  type Observable,
  of,
  Subject,
  shareReplay,
  switchMap,
  tap,
  throwError,
} from 'rxjs';
import type { Journal } from '../../journal/port.ts';
import type { Clock } from '../../platform/clock.ts';
import type { FrameReply, Lane, Limits, OkReply } from '../../protocol/events.ts';
import { FrameError } from '../../protocol/frame.ts';
import { mergeFrames, schemaRefsOf, splitFrame, splitThinned } from '../../protocol/frame-codec.ts';
import type { SchemaRef } from '../../protocol/sample.ts';
import type { KnownSchemas } from './known-schemas.ts';
import { LinkError, type LinkSession } from './link.ts';
import type { LinkGauge } from './link-gauge.ts';
import { FrameRefused, type Patience, type Reliability } from './reliability.ts';
import type { Shipment } from './state.ts';

type Confirmed = Extract<FrameReply, { readonly ok: true }>;

export type Outcome =
  | { readonly kind: 'delivered'; readonly reply: Confirmed }
  /** HQ will never take it as it is, or it cannot be read any more. */
  | { readonly kind: 'poisoned'; readonly detail: string }
  /** The connection is of no more use. */
  | { readonly kind: 'failed'; readonly error: LinkError };

export type FrameSenderOptions = {
  readonly session: LinkSession;
  readonly reliability: Reliability;
  readonly journal: Pick<Journal, 'schema'>;
  readonly clock: Clock;
  readonly gauge: LinkGauge;
  readonly schemas: KnownSchemas;
  /** Told how long HQ took for each confirmed message and how many bytes it had. */
  readonly onConfirmed: (message: {
    readonly lane: Lane;
    readonly bytes: number;
    readonly rttMs: number;
  }) => void;
};

export type FrameSender = {
  /** Emits the outcome once and completes; completes without one when the connection ended, which the link tells itself. */
  readonly deliver: (order: {
    readonly lane: Lane;
    readonly shipment: Shipment;
    readonly limits: Limits;
  }) => Observable<Outcome>;
};

/** It can never be delivered, whatever the connection. */
class Undeliverable extends Error {
  override readonly name = 'Undeliverable';
}

export function createFrameSender(options: FrameSenderOptions): FrameSender {
  const { session, reliability, journal, clock, gauge, schemas, onConfirmed } = options;
  /** One transfer of a schema serves all frames that wait for it. */
  const transfers = new Map<SchemaRef, Observable<OkReply>>();
  /** Emits when a schema goes and when it is answered: whatever waits for it waits as long as the link needs. */
  const schemaMoves$ = new Subject<void>();

  const moved = () =>
    defer(() => {
      schemaMoves$.next();
      return EMPTY;
    });

  const sendSchema = (ref: SchemaRef): Observable<OkReply> =>
    defer(() => {
      const schema = journal.schema(ref);
      if (schema === undefined)
        return throwError(() => new Undeliverable(`the journal lost the schema ${ref} of it`));
      const { source, boot, series } = schema;
      const message = { ref, schema: { source, boot, series } };
      return measured(Buffer.byteLength(JSON.stringify(message)), merge(session.schema(message), moved()));
    }).pipe(
      tap((reply) => {
        schemaMoves$.next();
        if (!reply.ok) throw new FrameRefused(reply.error);
      }),
    );

  const sharedSchema = (ref: SchemaRef): Observable<OkReply> => {
    const shared =
      transfers.get(ref) ??
      sendSchema(ref).pipe(
        tap({ error: () => transfers.delete(ref) }),
        shareReplay({ bufferSize: 1, refCount: false }),
      );
    transfers.set(ref, shared);
    return shared;
  };

  const sendFrame = (lane: Lane, bytes: Uint8Array): Observable<Confirmed> =>
    measured(bytes.length, session.frame({ lane }, bytes)).pipe(
      switchMap((reply) => (reply.ok ? of(reply) : throwError(() => new FrameRefused(reply.error)))),
    );

  /** The gauge hears when it goes and when it is answered, whatever the answer. */
  const measured = <T>(bytes: number, request: Observable<T>): Observable<T> =>
    defer(() => {
      const id = gauge.sent(bytes);
      return request.pipe(
        tap(() => gauge.answered(id)),
        finalize(() => gauge.abandoned(id)),
      );
    });

  const withSchemas = (lane: Lane, bytes: Uint8Array): Observable<Confirmed> =>
    sendFrame(lane, bytes).pipe(
      catchError((error: unknown) => {
        if (!(error instanceof FrameRefused) || error.wire.code !== 'unknown_schema') throw error;
        const own = schemaRefsOf(bytes);
        const asked = (error.wire.refs ?? own).filter((ref) => own.includes(ref));
        const refs = asked.length > 0 ? asked : own;
        schemas.forget(refs);
        return forkJoin(refs.map(sharedSchema)).pipe(switchMap(() => sendFrame(lane, bytes)));
      }),
      catchError((error: unknown) => {
        if (!(error instanceof FrameRefused) || error.wire.code !== 'unknown_schema') throw error;
        throw new LinkError('protocol', 'HQ took a schema and then did not know it.');
      }),
    );

  const timed = (lane: Lane, bytes: Uint8Array): Observable<Confirmed> =>
    defer(() => {
      const sentAt = clock.precise();
      return withSchemas(lane, bytes).pipe(
        tap(() => onConfirmed({ lane, bytes: bytes.length, rttMs: clock.precise() - sentAt })),
      );
    });

  const patienceFor = ({ length }: Uint8Array): Patience => ({
    allowanceMs: () => gauge.allowanceMs(length),
    progress$: () => merge(gauge.progress$(), schemaMoves$, session.holding$ ?? NEVER),
  });

  return {
    deliver: ({ lane, shipment, limits }) =>
      defer(() => from(messagesOf(shipment, limits))).pipe(
        concatMap((bytes) =>
          reliability.protect(lane, schemas.inTurn(bytes, timed(lane, bytes)), patienceFor(bytes)),
        ),
        last(),
        map((reply): Outcome => ({ kind: 'delivered', reply })),
        catchError((error: unknown) => outcomeOf(error)),
      ),
  };
}

/** The shipment as messages within HQ's limits. */
function messagesOf(shipment: Shipment, limits: Limits): readonly Uint8Array[] {
  const { frames } = shipment;
  const [only] = frames;
  const bytes =
    only !== undefined && frames.length === 1 ? only.bytes : mergeFrames(frames.map((frame) => frame.bytes));
  if (only === undefined || only.kind === 'gap') return [bytes];
  const { maxFrameBytes: maxBytes, maxFrameSamples } = limits;
  const samples = shipment.lastSeq - shipment.firstSeq + 1;
  const messages =
    bytes.length <= maxBytes && samples <= maxFrameSamples
      ? [bytes]
      : only.kind === 'thinned'
        ? splitThinned(bytes, { maxBytes, maxRows: maxFrameSamples })
        : splitFrame(bytes, { maxBytes, maxSamples: maxFrameSamples });
  const largest = messages.reduce((most, one) => Math.max(most, one.length), 0);
  if (largest > maxBytes)
    throw new Undeliverable(
      `it takes ${largest} bytes and cannot be cut any further, HQ accepts ${maxBytes}`,
    );
  return messages;
}

function outcomeOf(error: unknown): Observable<Outcome> {
  if (error instanceof LinkError) return error.kind === 'closed' ? EMPTY : of({ kind: 'failed', error });
  if (error instanceof Undeliverable || error instanceof FrameError)
    return of({ kind: 'poisoned', detail: error.message });
  if (!(error instanceof FrameRefused)) return throwError(() => error);
  const { code, message } = error.wire;
  switch (code) {
    case 'bad_frame':
    case 'too_large':
    case 'bad_request':
    // A frame that waited for HQ to take more series would keep its place for ever, and all others behind it.
    case 'too_many_series':
      return of({ kind: 'poisoned', detail: `${code}: ${message}` });
    default:
      return of({
        kind: 'failed',
        error: new LinkError(
          code === 'unauthorized' ? 'unauthorized' : 'rejected',
          `HQ refuses this agent's frames: ${message}`,
          { cause: error, wire: error.wire },
        ),
      });
  }
}
