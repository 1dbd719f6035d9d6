/** The reliability stack of a frame: what is tried again, when, and when it is better to leave HQ alone. */
import {
  BehaviorSubject,
  catchError,
  defer,
  first,
  NEVER,
  Observable,
  observeOn,
  retry,
  type SchedulerLike,
  switchMap,
  tap,
  throwError,
  timer,
} from 'rxjs';
import type { Random } from '../../platform/random.ts';
import type { Lane, WireError, WireErrorCode } from '../../protocol/events.ts';
import { type Backoff, backoff } from '../../streams/backoff.ts';
import { BreakerOpenError, type CircuitBreaker, circuitBreaker } from '../../streams/circuit-breaker.ts';
import { type RetryVerdict, retryWith } from '../../streams/retry-with.ts';
import { withDeadline } from '../../streams/with-deadline.ts';
import { LinkError } from './link.ts';

export type ReliabilitySettings = {
  /** ms; shorter than `breakerOpenMs`. */
  readonly ackTimeoutMs: number;
  readonly breakerFailures: number;
  /** ms */
  readonly breakerOpenMs: number;
  readonly breakerProbes: number;
  /** ms */
  readonly backoffInitialMs: number;
  /** ms */
  readonly backoffMaxMs: number;
};

/** HQ answered a frame, or a schema that it needs, with a refusal. */
export class FrameRefused extends Error {
  override readonly name = 'FrameRefused';
  readonly wire: WireError;
  constructor(wire: WireError) {
    super(`HQ refuses the frame: ${wire.code}: ${wire.message}`);
    this.wire = wire;
  }
}

/** HQ cannot serve anyone: every frame waits, and it counts against the breaker. */
const HQ_FAILS: ReadonlySet<WireErrorCode> = new Set(['unavailable', 'internal']);
/** HQ could, but not us, not now: the lane waits, the other one goes on. */
const HQ_WAITS: ReadonlySet<WireErrorCode> = new Set(['rate_limited']);
/** While another frame probes a half-open breaker. */
const PROBE_PAUSE_MS = 100;
/** Pauses between tries on an open connection need not grow as far as those between connections. */
const MAX_PAUSE_MS = 5_000;

export type Reliability = {
  readonly breaker: CircuitBreaker;
  /**
   * HQ says whether it can store. That it can counts for an open breaker, which need not wait for its time, where HQ
   * had said that it cannot, or had answered the last failure itself.
   */
  readonly hqStoring: (storing: boolean) => void;
  /** Since when a try failed and there will be another; null while frames pass. The present value at once. */
  readonly paused$: Observable<DeliveryPause | null>;
  readonly paused: () => DeliveryPause | null;
  /** Sends until HQ has taken it. Errors with what no repetition mends: a LinkError, or a FrameRefused for good. */
  readonly protect: <T>(lane: Lane, send: Observable<T>, patience?: Patience) => Observable<T>;
};

/** How a frame's deadline depends on what the link does. */
export type Patience = {
  /**
   * Time beyond the ack timeout that the link needs for it, ms; asked when it is sent, and whenever the deadline begins
   * again.
   */
  readonly allowanceMs: () => number;
  /** Emits when something before it was answered: the deadline begins again. Asked when it is sent. */
  readonly progress$: () => Observable<unknown>;
};

export type ReliabilityOptions = {
  readonly settings: ReliabilitySettings;
  readonly scheduler: SchedulerLike;
  readonly random: Random;
};

/** Why frames wait on an open connection. */
export type DeliveryPause = {
  /** For instance `unavailable`. */
  readonly reason: string;
  /** Until the first of them is tried again, ms. */
  readonly delayMs: number;
};

export function createReliability({ settings, scheduler, random }: ReliabilityOptions): Reliability {
  const breaker = circuitBreaker(
    {
      failuresToOpen: settings.breakerFailures,
      openMs: settings.breakerOpenMs,
      halfOpenProbes: settings.breakerProbes,
      hintBackoffMs: settings.backoffInitialMs,
      isFailure: countsAgainstHq,
    },
    scheduler,
  );
  const gates = createGates(settings, scheduler, random);
  const failures = createFailures(breaker, scheduler);
  const paused$ = new BehaviorSubject<DeliveryPause | null>(null);
  const pause = (why: DeliveryPause) => {
    if (paused$.value === null) paused$.next(why);
  };

  const retryOf = <T>(lane: Lane, source: Observable<T>) =>
    source.pipe(
      retryWith<T>(
        {
          classify: gates.verdictFor(lane),
          // The gate has the jitter.
          backoff: { initialMs: 0, maxMs: 0, jitter: 'none' },
          onRetry: ({ reason, delayMs }) => pause({ reason, delayMs }),
        },
        random,
        scheduler,
      ),
    );

  /** Waits while the breaker refuses, whose time may come sooner than it says. */
  const whenLetThrough = <T>(send: Observable<T>) =>
    send.pipe(
      retry({
        delay: (error: unknown) => {
          if (!(error instanceof BreakerOpenError)) return throwError(() => error);
          const delayMs = error.retryAtMs - scheduler.now();
          if (delayMs <= 0) return timer(PROBE_PAUSE_MS, scheduler);
          pause({ reason: 'breaker_open', delayMs });
          return breaker.state$.pipe(
            first(({ kind }) => kind !== 'open'),
            // In turns of their own: woken within one another's, frames would go out in reverse, backlog before live.
            observeOn(scheduler),
          );
        },
      }),
    );

  const resumed = (lane: Lane) => {
    gates.passed(lane);
    // As long as one lane waits, people are told so.
    if (!gates.isAnyWaiting() && paused$.value !== null) paused$.next(null);
  };

  return {
    breaker,
    hqStoring: failures.hqStoring,
    paused$: paused$.asObservable(),
    paused: () => paused$.value,
    // Innermost the timeout, so that silence is a failure that the breaker sees; around it the breaker, whose refusal
    // is no try. The gate stands before them: to wait is neither a try nor silence.
    protect: (lane, send, patience = IMPATIENT) => {
      const { ackTimeoutMs } = settings;
      const once = failures.guard(withinPatience(send, { ackTimeoutMs, patience, scheduler }));
      return retryOf(lane, whenLetThrough(gates.gated(lane, once))).pipe(tap(() => resumed(lane)));
    },
  };
}

function withinPatience<T>(
  source: Observable<T>,
  options: { readonly ackTimeoutMs: number; readonly patience: Patience; readonly scheduler: SchedulerLike },
): Observable<T> {
  const { ackTimeoutMs, patience, scheduler } = options;
  return defer(() => {
    let ms = 0;
    const most = () => {
      ms = Math.round(ackTimeoutMs + patience.allowanceMs());
      return ms;
    };
    const silent = () => new LinkError('timeout', `HQ did not confirm a frame within ${ms} ms.`);
    return source.pipe(withDeadline(most, scheduler, silent, patience.progress$()));
  });
}

type Failures = {
  /** The breaker, which sees failures of frames that were under way together as one. */
  readonly guard: <T>(source: Observable<T>) => Observable<T>;
  readonly hqStoring: Reliability['hqStoring'];
};

function createFailures(breaker: CircuitBreaker, scheduler: SchedulerLike): Failures {
  let lastFailureAt = Number.NEGATIVE_INFINITY;
  /**
   * Whether HQ itself told of the last failure: when it stays silent to frames, what good it says besides proves
   * nothing.
   */
  let answered = false;
  return {
    guard: <T>(source: Observable<T>) =>
      new Observable<T>((subscriber) => {
        const startedAt = scheduler.now();
        const counted = source.pipe(
          catchError((error: unknown) => {
            // Frames that were under way together fail together: that is one failure. A lost connection is none.
            const silent = isClosed(error) || (countsAgainstHq(error) && startedAt < lastFailureAt);
            if (countsAgainstHq(error)) {
              lastFailureAt = Math.max(lastFailureAt, scheduler.now());
              answered = error instanceof FrameRefused;
            }
            if (!silent) throw error;
            subscriber.error(error);
            return NEVER;
          }),
        );
        return breaker.protect(counted).subscribe(subscriber);
      }),
    hqStoring: (storing) => {
      if (!storing) answered = true;
      else if (answered) breaker.recoveryHint();
    },
  };
}

const IMPATIENT: Patience = { allowanceMs: () => 0, progress$: () => NEVER };

/** Frames pause together: gates, not one backoff each, or a dozen waiting frames would be a dozen failures. */
type Gates = {
  readonly verdictFor: (lane: Lane) => (error: unknown) => RetryVerdict;
  /** Waits until the lane is open. */
  readonly gated: <T>(lane: Lane, send: Observable<T>) => Observable<T>;
  /** A frame of the lane has passed: its next pause begins small. */
  readonly passed: (lane: Lane) => void;
  readonly isAnyWaiting: () => boolean;
};

type Gate = { pause: Backoff | null; opensAt: number };

function createGates(settings: ReliabilitySettings, scheduler: SchedulerLike, random: Random): Gates {
  const { backoffInitialMs: initialMs, backoffMaxMs } = settings;
  const maxMs = Math.max(initialMs, Math.min(backoffMaxMs, MAX_PAUSE_MS));
  const all = createGate();
  /** A backlog that has to wait for its turn must not keep live frames waiting. */
  const lanes: Readonly<Record<Lane, Gate>> = { live: createGate(), backlog: createGate() };
  return {
    verdictFor: (lane) => (error) => {
      const now = scheduler.now();
      if (!(error instanceof FrameRefused)) return { kind: 'give-up', reason: 'link' };
      const { code, retryAfterMs } = error.wire;
      if (!HQ_FAILS.has(code) && !HQ_WAITS.has(code)) return { kind: 'give-up', reason: code };
      const gate = HQ_FAILS.has(code) ? all : lanes[lane];
      if (gate.opensAt <= now) {
        gate.pause = gate.pause?.next() ?? backoff({ initialMs, maxMs, jitter: 'full' }, random);
        gate.opensAt = now + (retryAfterMs ?? 0) + gate.pause.delayMs;
      }
      return { kind: 'retry', reason: code, afterMs: gate.opensAt - now };
    },
    gated: (lane, send) =>
      defer(() => {
        const waitMs = Math.max(all.opensAt, lanes[lane].opensAt) - scheduler.now();
        return waitMs > 0 ? timer(waitMs, scheduler).pipe(switchMap(() => send)) : send;
      }),
    passed: (lane) => {
      all.pause = null;
      lanes[lane].pause = null;
    },
    isAnyWaiting: () => lanes.live.pause !== null || lanes.backlog.pause !== null,
  };
}

function createGate(): Gate {
  return { pause: null, opensAt: Number.NEGATIVE_INFINITY };
}

function countsAgainstHq(error: unknown): boolean {
  if (error instanceof FrameRefused) return HQ_FAILS.has(error.wire.code);
  return error instanceof LinkError && (error.kind === 'timeout' || error.kind === 'protocol');
}

function isClosed(error: unknown): boolean {
  return error instanceof LinkError && error.kind === 'closed';
}
