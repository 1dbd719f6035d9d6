/** Carries out what the uplink's logic wants done. The one place where it meets link, journal, time and chance. */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  finalize,
  from,
  map,
  type Observable,
  of,
  reduce,
  Subject,
  takeUntil,
  takeWhile,
  tap,
  throwError,
  timer,
  toArray,
} from 'rxjs';
import type { Journal, StoredFrame } from '../../journal/port.ts';
import type { Random } from '../../platform/random.ts';
import type { Emit } from '../../platform/telemetry.ts';
import type { SeqRange } from '../../protocol/coverage.ts';
import { FrameError } from '../../protocol/frame.ts';
import { sliceFrame } from '../../protocol/frame-codec.ts';
import { StorageError } from '../../storage/storage.ts';
import type { agentEvents } from '../events.ts';
import { answerWithin, type ConversationOptions, createConversation, creditOf } from './conversation.ts';
import { createFrameSender, type FrameSender, type Outcome } from './frame-sender.ts';
import { createKnownSchemas } from './known-schemas.ts';
import { type Link, LinkError, type LinkEvent, type LinkSession } from './link.ts';
import type { Pace } from './pace.ts';
import type { Reliability } from './reliability.ts';
import { bytesOf } from './shipments.ts';
import type { Outgoing, Suspected, UplinkEffect, UplinkMessage } from './state.ts';

export type EffectOptions = Omit<ConversationOptions, 'lost' | 'journal' | 'onReinstated'> & {
  readonly link: Link;
  readonly journal: Journal;
  readonly reliability: Reliability;
  readonly pace: Pace;
  readonly random: Random;
  readonly emit: Emit<typeof agentEvents>;
  readonly onRoundTrip: (rttMs: number) => void;
  /** Whether HQ refuses frames for now. */
  readonly isPaused: () => boolean;
};

/** The open connection; state of the edge, not of the logic. */
type Connection = {
  /** The precise clock, ms: it does not jump. */
  readonly begunAt: number;
  readonly ended$: Subject<void>;
  session: LinkSession | null;
  sender: FrameSender | null;
};

/** At a stop, for everything that is still to be said; and when HQ takes nothing anyway, ms. */
const LEAVE_MS = 8_000;
const LEAVE_PAUSED_MS = 1_000;
const MAX_UNKNOWN_NAMES = 32;
/** A connection with TLS, roughly. */
const CONNECT_BYTES = 4_000;
const MAX_CONNECT_ALLOWANCE_MS = 60_000;
const SOON_MS = 4_000;
const SOON_ROUND_TRIPS = 4;
/** The kernel repeats a request to connect once after a second: with another after two, one goes out in each second. */
const AGAIN_MS = 2_000;
const AGAIN_ROUND_TRIPS = 1.5;
/** Longer than the refused one ever waits with any preset. */
const CONFLICT_EPISODE_MS = 1_200_000;

export function createUplinkEffects(
  options: EffectOptions,
): (effect: UplinkEffect) => Observable<UplinkMessage> {
  const { link, journal, reliability, pace, clock, random, emit, settings, gauge } = options;
  const { scheduler } = clock;
  const schemas = createKnownSchemas();
  const unknownNames = new Set<string>();
  let current: Connection | null = null;
  /** The present episode of another agent with our id lasts until then. */
  let conflictUntil = Number.NEGATIVE_INFINITY;

  /** Whatever may have something sent is preceded by what the link can take now. */
  const knowing = (messages: Observable<UplinkMessage>): Observable<UplinkMessage> =>
    messages.pipe(
      concatMap((message) => from<UplinkMessage[]>([{ type: 'window', window: gauge.window() }, message])),
    );
  const lost = (connection: number, error: LinkError): UplinkMessage => ({
    type: 'lost',
    connection,
    error: link.judge?.(error) ?? error,
    at: scheduler.now(),
    tookMs: current === null ? 0 : clock.precise() - current.begunAt,
    jitter: random.next(),
  });
  const conversation = createConversation({
    ...options,
    lost,
    onReinstated: (reinstated) => emit({ type: 'acks_taken_back', ...reinstated }),
  });
  const lostBy =
    (connection: number) =>
    (error: unknown): Observable<UplinkMessage> =>
      error instanceof LinkError ? of(lost(connection, error)) : throwError(() => error);
  const whileOpen = <T>(work: (session: LinkSession, sender: FrameSender) => Observable<T>): Observable<T> =>
    defer(() => {
      if (current?.session == null || current.sender === null) return EMPTY;
      return work(current.session, current.sender).pipe(takeUntil(current.ended$));
    });
  /** A journal that fails is reported and does not stop the uplink; what was meant to be done comes up again. */
  const orElse =
    <T>(what: string, fallback: T) =>
    (source: Observable<T>): Observable<T> =>
      source.pipe(
        catchError((error: unknown) => {
          if (!(error instanceof StorageError)) throw error;
          emit({ type: 'journal_failing', what, reason: error.message });
          return of(fallback);
        }),
      );

  const connect = (connection: number): Observable<UplinkMessage> =>
    defer(() => {
      const begunAt = clock.precise();
      const mine: Connection = { begunAt, ended$: new Subject(), session: null, sender: null };
      current?.ended$.next();
      current = mine;
      const { connectTimeoutMs } = settings;
      const { least } = gauge.estimate();
      // A way that has worked answers soon or is not there now: an attempt that hangs would sleep through a short pass of a satellite.
      const connectSilenceMs =
        least === null
          ? connectTimeoutMs
          : Math.min(connectTimeoutMs, Math.max(SOON_MS, SOON_ROUND_TRIPS * least.ms));
      // The link itself looks at silence; this bounds what goes on and on.
      const mostMs = Math.round(
        connectTimeoutMs + Math.min(MAX_CONNECT_ALLOWANCE_MS, gauge.allowanceMs(CONNECT_BYTES)),
      );
      const again = least === null ? {} : { againMs: Math.max(AGAIN_MS, AGAIN_ROUND_TRIPS * least.ms) };
      return link.connect({ connectSilenceMs, ...again }).pipe(
        answerWithin<LinkEvent>(mostMs, 'the connection', scheduler),
        concatMap((event) => fromLink(mine, connection, event)),
        catchError(lostBy(connection)),
        takeUntil(mine.ended$),
        finalize(() => {
          if (current === mine) current = null;
          mine.ended$.next();
        }),
      );
    });

  const fromLink = (mine: Connection, connection: number, event: LinkEvent): Observable<UplinkMessage> => {
    switch (event.type) {
      case 'open': {
        const { session } = event;
        mine.session = session;
        gauge.connected(session.way.index);
        mine.sender = createFrameSender({
          session,
          reliability,
          journal,
          clock,
          gauge,
          schemas,
          onConfirmed: (message) => {
            options.onRoundTrip(message.rttMs);
            emit({ type: 'frame_confirmed', ...message });
          },
        });
        return of({ type: 'opened', connection });
      }
      case 'blocked':
        emit({ type: 'upgrade_blocked', detail: event.what });
        return EMPTY;
      case 'credit':
        return of({
          type: 'credit',
          connection,
          credit: creditOf({ credit: event.frames, creditBytes: event.creditBytes }),
        });
      case 'conflict':
        // The other one comes back again and again: once an episode is enough.
        if (scheduler.now() >= conflictUntil) emit({ type: 'duplicate_agent', detail: event.message });
        conflictUntil = scheduler.now() + CONFLICT_EPISODE_MS;
        return EMPTY;
      case 'ignored':
        if (!unknownNames.has(event.name) && unknownNames.size < MAX_UNKNOWN_NAMES) {
          unknownNames.add(event.name);
          emit({ type: 'unknown_event', name: event.name });
        }
        return EMPTY;
    }
  };

  const deliver = (effect: Extract<UplinkEffect, { type: 'deliver' }>): Observable<UplinkMessage> => {
    const { connection, lane, shipment, limits } = effect;
    const { firstSeq } = shipment;
    const toMessage = (outcome: Outcome): UplinkMessage => {
      switch (outcome.kind) {
        case 'delivered': {
          const { ack } = outcome.reply;
          const credit = creditOf(outcome.reply);
          return { type: 'delivered', connection, firstSeq, ack, credit, sampled: journal.stats().sampled };
        }
        case 'poisoned':
          return { type: 'poisoned', connection, firstSeq, detail: outcome.detail };
        case 'failed':
          return lost(connection, outcome.error);
      }
    };
    return whileOpen((_, sender) => {
      const turn = lane === 'backlog' ? pace(bytesOf(shipment)) : of(true);
      return turn.pipe(
        concatMap(() => sender.deliver({ lane, shipment, limits })),
        map(toMessage),
        knowing,
      );
    });
  };

  const read = (effect: Extract<UplinkEffect, { type: 'read' }>): Observable<UplinkMessage> => {
    const { connection, what, after, limit, maxBytes } = effect;
    const query =
      what === 'newest'
        ? ({ order: 'newest', limit } as const)
        : ({ order: 'oldest', after, limit, ...(what === 'notable' ? { notable: true } : {}) } as const);
    return defer(() => {
      let bytes = 0;
      return journal.pending(query).pipe(
        takeWhile((frame) => {
          bytes += frame.bytes.length;
          return bytes < maxBytes;
        }, true),
        toArray(),
        orElse<StoredFrame[]>('read', []),
        map((frames): UplinkMessage => {
          const exhausted = frames.length < limit && bytes < maxBytes;
          return { type: 'read', connection, what, frames, exhausted };
        }),
        knowing,
      );
    });
  };

  /** Both emit how many frames went in. */
  const seal = (busy: readonly SeqRange[]): Observable<number> =>
    journal.seal(busy).pipe(
      tap((result) => {
        if (result.merged > 0) emit({ type: 'frames_sealed', ...result });
      }),
      map(({ merged }) => merged),
      orElse('seal', 0),
    );
  const thin = (busy: readonly SeqRange[]): Observable<number> =>
    journal.thin(busy).pipe(
      tap((result) => {
        if (result.rewritten > 0) emit({ type: 'frames_thinned', ...result });
      }),
      map(({ rewritten }) => rewritten),
      orElse('thin', 0),
    );

  const reject = (effect: Extract<UplinkEffect, { type: 'reject' }>): Observable<UplinkMessage> => {
    const { origin, originLast, samples, detail, acked } = effect;
    const rejected = () => journal.stats().dropped.rejected ?? 0;
    let before = 0;
    // Released first: the journal then knows what of the frame has arrived, and gives up only the rest.
    return journal.release(acked).pipe(
      concatMap(() => {
        before = rejected();
        return journal.reject(origin, detail, originLast);
      }),
      tap(() => {
        // A frame that was sealed into a larger one meanwhile is tried anew as part of that.
        if (rejected() > before) emit({ type: 'samples_rejected', seq: origin, samples, detail });
      }),
      map(() => null),
      orElse('reject', null),
      map((): UplinkMessage => ({ type: 'rejected', origin })),
    );
  };

  const bisect = ({ frame }: Suspected): UplinkMessage => {
    const { firstSeq } = frame;
    try {
      return { type: 'bisected', firstSeq, parts: halvesOf(frame) };
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      return { type: 'unreadable', firstSeq, detail: `it cannot be read any more: ${error.message}` };
    }
  };

  return (effect) => {
    switch (effect.type) {
      case 'wait':
        return timer(effect.ms, scheduler).pipe(
          map(() => ({ type: 'retry', connection: effect.connection }) as const),
        );
      case 'connect':
        return connect(effect.connection);
      case 'disconnect':
        current?.ended$.next();
        return EMPTY;
      case 'greet':
        return whileOpen((session) =>
          conversation.begin(session, effect.connection).pipe(knowing, catchError(lostBy(effect.connection))),
        );
      case 'try_breaker':
        reliability.breaker.recoveryHint();
        return EMPTY;
      case 'hq_storing':
        reliability.hqStoring(effect.storing);
        return EMPTY;
      case 'fail':
        return of(lost(effect.connection, effect.error));
      case 'read':
        return read(effect);
      case 'deliver':
        return deliver(effect);
      case 'linger':
      case 'pause':
        return timer(effect.ms, scheduler).pipe(
          map(() => ({ type: `${effect.type}_over`, connection: effect.connection }) as const),
          knowing,
        );
      case 'release':
        return journal.release(effect.acked).pipe(
          map(() => null),
          orElse('release', null),
          map(() => ({ type: 'released' }) as const),
        );
      case 'seal':
        return concat(seal(effect.busy), thin(effect.busy)).pipe(
          reduce((sum, rewritten) => sum + rewritten, 0),
          map((merged) => ({ type: 'sealed', merged }) as const),
        );
      case 'bisect':
        return of(bisect(effect.suspected));
      case 'reject':
        return reject(effect);
      case 'farewell':
        return concat(
          whileOpen((session) => conversation.end(session, effect.connection)),
          of<UplinkMessage>({ type: 'left', connection: effect.connection }),
        );
      case 'leave_deadline':
        return timer(options.isPaused() ? LEAVE_PAUSED_MS : LEAVE_MS, scheduler).pipe(
          map(() => ({ type: 'left', connection: effect.connection }) as const),
        );
      case 'log_down':
        emit({ type: 'link_down', kind: effect.kind, detail: effect.detail, retryMs: effect.retryMs });
        return EMPTY;
      case 'log_up':
        emit({ type: 'link_up', after: effect.after });
        return EMPTY;
    }
  };
}

function halvesOf(frame: Outgoing): readonly Outgoing[] {
  const middle = frame.firstSeq + Math.floor((frame.lastSeq - frame.firstSeq) / 2);
  const part = (firstSeq: number, lastSeq: number): Outgoing => ({
    ...frame,
    firstSeq,
    lastSeq,
    bytes: sliceFrame(frame.bytes, firstSeq, lastSeq),
  });
  return [part(frame.firstSeq, middle), part(middle + 1, frame.lastSeq)];
}
