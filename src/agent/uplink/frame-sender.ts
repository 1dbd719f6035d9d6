/** Brings one shipment to HQ over one connection: splits, supplies schemas that HQ lacks, reports what came of it. */
import {
  catchError,
  concatMap,
  defer,
  EMPTY,
  finalize,
  forkJoin,
  from,
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
import type { Patience } from '../../delivery/deadline.ts';
import type { Journal } from '../../journal/port.ts';
import type { Clock } from '../../platform/clock.ts';
import {
  type FrameReply,
  type Lane,
  type Limits,
  NOTES_VERSION,
  type OkReply,
} from '../../protocol/events.ts';
import {
  mergeFrames,
  schemaRefsOf,
  splitDownsampled,
  splitFrame,
  withoutJudgements,
} from '../../protocol/frame-codec.ts';
import type { SchemaRef } from '../../protocol/sample.ts';
import type { FrameReliability } from './frame-reliability.ts';
import { FrameRefused, judgeFrame, Undeliverable } from './frame-verdict.ts';
import type { KnownSchemas } from './known-schemas.ts';
import { LinkError, type LinkSession } from './link.ts';
import type { LinkGauge } from './link-gauge.ts';
import type { Shipment } from './state.ts';

type Confirmed = Extract<FrameReply, { readonly ok: true }>;

/** HQ has taken a message, which is all of the shipment or a part of it. */
export type MessageConfirmed = {
  readonly kind: 'confirmed';
  readonly lane: Lane;
  readonly bytes: number;
  readonly rttMs: number;
};

export type Outcome =
  | { readonly kind: 'delivered'; readonly reply: Confirmed }
  /** HQ will never take it as it is, or it cannot be read any more. */
  | { readonly kind: 'poisoned'; readonly detail: string }
  /** The connection is of no more use. */
  | { readonly kind: 'failed'; readonly error: LinkError };

export type FrameSenderOptions = {
  readonly session: LinkSession;
  readonly reliability: FrameReliability;
  readonly journal: Pick<Journal, 'schema'>;
  readonly clock: Clock;
  readonly gauge: LinkGauge;
  readonly schemas: KnownSchemas;
};

export type FrameSender = {
  /**
   * Emits each message that HQ confirms, then the outcome, and completes; completes without an outcome when the
   * connection ended, which the link reports itself.
   */
  readonly deliver: (order: {
    readonly lane: Lane;
    readonly shipment: Shipment;
    readonly limits: Limits;
  }) => Observable<MessageConfirmed | Outcome>;
};

export function createFrameSender(options: FrameSenderOptions): FrameSender {
  const { reliability, clock, gauge, schemas, session } = options;
  const measured = measuredBy(gauge);
  const transfers = createSchemaTransfers(options, measured);

  const sendFrame = (lane: Lane, bytes: Uint8Array): Observable<Confirmed> =>
    measured(bytes.length, session.frame({ lane }, bytes)).pipe(
      switchMap((reply) => (reply.ok ? of(reply) : throwError(() => new FrameRefused(reply.error)))),
    );

  const withSchemas = (lane: Lane, bytes: Uint8Array): Observable<Confirmed> =>
    sendFrame(lane, bytes).pipe(
      catchError((error: unknown) => {
        if (!(error instanceof FrameRefused) || error.wire.code !== 'unknown_schema') throw error;
        const own = schemaRefsOf(bytes);
        const asked = (error.wire.refs ?? own).filter((ref) => own.includes(ref));
        const refs = asked.length > 0 ? asked : own;
        schemas.forget(refs);
        return forkJoin(refs.map(transfers.of)).pipe(switchMap(() => sendFrame(lane, bytes)));
      }),
      catchError((error: unknown) => {
        if (!(error instanceof FrameRefused) || error.wire.code !== 'unknown_schema') throw error;
        throw new LinkError('protocol', 'HQ took a schema and then did not know it.');
      }),
    );

  const timed = (lane: Lane, bytes: Uint8Array): Observable<Timed> =>
    defer(() => {
      const sentAt = clock.precise();
      return withSchemas(lane, bytes).pipe(map((reply) => ({ reply, rttMs: clock.precise() - sentAt })));
    });

  const patienceFor = ({ length }: Uint8Array): Patience => ({
    allowanceMs: () => gauge.allowanceMs(length),
    progress$: () => merge(gauge.progress$(), transfers.moves$, session.holding$ ?? NEVER),
  });

  return {
    deliver: ({ lane, shipment, limits }) =>
      defer(() => {
        const messages = messagesOf(shipment, limits);
        return from(messages).pipe(
          concatMap((bytes, index) =>
            reliability.protect(lane, schemas.inTurn(bytes, timed(lane, bytes)), patienceFor(bytes)).pipe(
              concatMap(({ reply, rttMs }): readonly (MessageConfirmed | Outcome)[] => {
                const confirmed = { kind: 'confirmed', lane, bytes: bytes.length, rttMs } as const;
                return index < messages.length - 1 ? [confirmed] : [confirmed, { kind: 'delivered', reply }];
              }),
            ),
          ),
        );
      }).pipe(catchError((error: unknown) => outcomeOf(error))),
  };
}

type Timed = { readonly reply: Confirmed; readonly rttMs: number };
type Measured = <T>(bytes: number, request: Observable<T>) => Observable<T>;

/** The gauge hears when it goes and when it is answered, whatever the answer. */
function measuredBy(gauge: LinkGauge): Measured {
  return (bytes, request) =>
    defer(() => {
      const id = gauge.sent(bytes);
      return request.pipe(
        tap(() => gauge.answered(id)),
        finalize(() => gauge.abandoned(id)),
      );
    });
}

/** Schemas that HQ lacks, on their way: one transfer serves all frames that wait for it. */
type SchemaTransfers = {
  readonly of: (ref: SchemaRef) => Observable<OkReply>;
  /** Emits when a schema goes and when it is answered: whatever waits for it waits as long as the link needs. */
  readonly moves$: Observable<void>;
};

function createSchemaTransfers(
  { session, journal }: Pick<FrameSenderOptions, 'session' | 'journal'>,
  measured: Measured,
): SchemaTransfers {
  const transfers = new Map<SchemaRef, Observable<OkReply>>();
  const moves$ = new Subject<void>();
  const moved = defer(() => {
    moves$.next();
    return EMPTY;
  });

  const send = (ref: SchemaRef): Observable<OkReply> =>
    defer(() => {
      const schema = journal.schema(ref);
      if (schema === undefined)
        return throwError(() => new Undeliverable(`the journal lost the schema ${ref} of it`));
      const { source, boot, series } = schema;
      const message = { ref, schema: { source, boot, series } };
      return measured(Buffer.byteLength(JSON.stringify(message)), merge(session.schema(message), moved));
    }).pipe(
      tap((reply) => {
        moves$.next();
        if (!reply.ok) throw new FrameRefused(reply.error);
      }),
    );

  return {
    moves$,
    of: (ref) => {
      const shared =
        transfers.get(ref) ??
        send(ref).pipe(
          tap({ error: () => transfers.delete(ref) }),
          shareReplay({ bufferSize: 1, refCount: false }),
        );
      transfers.set(ref, shared);
      return shared;
    },
  };
}

/** The shipment as messages within HQ's limits. */
function messagesOf(shipment: Shipment, limits: Limits): readonly Uint8Array[] {
  const { frames } = shipment;
  const [only] = frames;
  const stored =
    only !== undefined && frames.length === 1 ? only.bytes : mergeFrames(frames.map((frame) => frame.bytes));
  if (only === undefined || only.kind === 'gap') return [stored];
  const { maxFrameBytes: maxBytes, maxFrameSamples, notes = 1 } = limits;
  // An HQ of 0.1 takes what it cannot read.
  const bytes = notes < NOTES_VERSION ? withoutJudgements(stored) : stored;
  const samples = shipment.lastSeq - shipment.firstSeq + 1;
  const messages =
    bytes.length <= maxBytes && samples <= maxFrameSamples
      ? [bytes]
      : only.kind === 'thinned'
        ? splitDownsampled(bytes, { maxBytes, maxRows: maxFrameSamples })
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
  const { verdict } = judgeFrame(error);
  if (verdict?.kind === 'poison') return of({ kind: 'poisoned', detail: verdict.reason });
  if (!(error instanceof FrameRefused)) return throwError(() => error);
  const { wire } = error;
  const kind = wire.code === 'unauthorized' ? 'unauthorized' : 'rejected';
  const message = `HQ refuses this agent's frames: ${wire.message}`;
  return of({ kind: 'failed', error: new LinkError(kind, message, { cause: error, wire }) });
}
