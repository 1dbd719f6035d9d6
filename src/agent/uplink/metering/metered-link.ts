/**
 * A link whose bytes are counted, and that ends and refuses connections when the data budget says so.
 *
 * While nothing but a hello each hour may go, a connection stays until HQ has answered a heartbeat that says why, and
 * nothing else is under way. Without a byte left it ends at once. A frame that would take of what is left for hellos is
 * not sent, and is under way for as long as the connection lasts.
 */
import { defer, finalize, interval, Observable, Subject, type Subscriber, tap, throwError } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import {
  type ConnectOptions,
  type Link,
  LinkError,
  type LinkEvent,
  type LinkSession,
  type Traffic,
} from '../link.ts';
import type { DataMeter } from './data-meter.ts';

export type MeteredLinkOptions = {
  readonly link: Link;
  readonly meter: DataMeter;
  readonly clock: Pick<Clock, 'precise' | 'scheduler'>;
};

const TICK_MS = 1_000;
const NOTHING_CARRIED: Traffic = { sent: 0, received: 0 };
/** What a frame costs besides itself: framing, TLS, and HQ's answer. */
const BESIDES_BYTES = 200;
/** What HQ's answers lead to has begun by then. */
const QUIET_TICKS = 2;

export function createMeteredLink(options: MeteredLinkOptions): Link {
  return {
    ...options.link,
    connect: (wishes) =>
      defer(() => {
        const refusal = options.meter.refusal();
        return refusal === null
          ? new Observable<LinkEvent>((subscriber) => connectMetered(options, wishes, subscriber))
          : throwError(() => new LinkError('budget', refusal, { againMs: options.meter.againMs() }));
      }),
  };
}

function connectMetered(
  { link, meter, clock }: MeteredLinkOptions,
  wishes: ConnectOptions | undefined,
  subscriber: Subscriber<LinkEvent>,
): () => void {
  let session: LinkSession | null = null;
  /** Of tries that opened no connection, and, as the last one, of the one that is under way or became the session. */
  const tries: (() => Traffic)[] = [];
  const tally = createTally(meter, clock, () =>
    // The session knows of more than its own sockets, such as probes of other ways.
    [...tries.slice(0, -1), session?.traffic ?? tries.at(-1)].reduce((sum, traffic) => {
      const { sent, received } = traffic?.() ?? NOTHING_CARRIED;
      return sum + sent + received;
    }, 0),
  );
  const leave = (why: string): LinkError => {
    meter.explained();
    const error = new LinkError('budget', why, { againMs: meter.againMs() });
    subscriber.error(error);
    return error;
  };
  const requests = createRequests(meter, tally, leave);
  const holds = createHolds();
  let quietTicks = 0;
  const look = () => {
    tally.count();
    holds.look();
    const leaving = meter.leaving();
    quietTicks = leaving !== null && requests.isQuiet() ? quietTicks + 1 : 0;
    if (leaving?.now === true || (leaving !== null && quietTicks >= QUIET_TICKS)) leave(leaving.why);
  };

  const onTry = (traffic: () => Traffic) => void tries.push(traffic);
  const work = link.connect({ ...wishes, onTry }).subscribe({
    next: (event) => {
      if (event.type !== 'open') {
        subscriber.next(event);
        return;
      }
      session = event.session;
      meter.connected();
      tally.count();
      subscriber.next({
        ...event,
        session: meteredSession(event.session, { meter, tally, requests, holds }),
      });
    },
    error: (error: unknown) => {
      tally.count();
      if (session === null) meter.failed(tally.counted());
      subscriber.error(error);
    },
  });
  work.add(interval(TICK_MS, clock.scheduler).subscribe(look));
  return () => {
    tally.count();
    work.unsubscribe();
    holds.end();
  };
}

/** Tells the meter what the connection has carried. */
type Tally = {
  readonly count: () => void;
  readonly counted: () => number;
  /** Connecting and hello are done: what they cost does not go on. */
  readonly settle: () => void;
  /** A frame is handed over. */
  readonly backlog: (bytes: number) => void;
  /** What frames of whatever lane cost that were handed over and not counted yet. */
  readonly uncounted: () => number;
  /** A frame of this cost is handed over; what it returns is to be called with its answer. */
  readonly handOver: (cost: number) => () => void;
};

function createTally(meter: DataMeter, clock: MeteredLinkOptions['clock'], carried: () => number): Tally {
  let counted = 0;
  let countedAt = clock.precise();
  /** Bytes of backlog frames that were handed over and not counted yet. */
  let backlog = 0;
  /** Of frames whatever their lane; no more than those without an answer cost. */
  let uncounted = 0;
  let unanswered = 0;
  let settled = false;
  return {
    count: () => {
      const bytes = carried() - counted;
      const ms = clock.precise() - countedAt;
      counted += bytes;
      countedAt += ms;
      const live = Math.max(0, bytes - backlog);
      backlog = Math.max(0, backlog - bytes);
      uncounted = Math.max(0, uncounted - bytes);
      meter.count(settled ? { bytes, live, ms } : { bytes, live: 0, ms: 0 });
    },
    counted: () => counted,
    settle: () => {
      settled = true;
    },
    backlog: (bytes) => {
      backlog += bytes;
    },
    uncounted: () => uncounted,
    handOver: (cost) => {
      uncounted += cost;
      unanswered += cost;
      return () => {
        unanswered -= cost;
        uncounted = Math.min(uncounted, unanswered);
      };
    },
  };
}

type Requests = {
  readonly make: <T>(request: () => Observable<T>, onAnswer?: (why: string | null) => void) => Observable<T>;
  /** HQ has answered a heartbeat that says why nothing goes. */
  readonly explain: () => void;
  /** Nothing is under way, and HQ knows why. */
  readonly isQuiet: () => boolean;
};

function createRequests(meter: DataMeter, { count }: Tally, leave: (why: string) => LinkError): Requests {
  let underWay = 0;
  let explained = false;
  return {
    make: (request, onAnswer = () => {}) =>
      defer(() => {
        count();
        const leaving = meter.leaving();
        if (leaving?.now === true) return throwError(() => leave(leaving.why));
        underWay += 1;
        return request().pipe(
          tap(() => {
            // What the answer leads to knows then what it has cost.
            count();
            onAnswer(leaving?.why ?? null);
          }),
          finalize(() => {
            underWay -= 1;
            count();
          }),
        );
      }),
    explain: () => {
      explained = true;
    },
    isQuiet: () => explained && underWay === 0,
  };
}

/** Frames that the budget has no room for: they wait for the end of the connection. */
type Holds = {
  readonly hold$: Observable<never>;
  /** Emits now and then while some wait. */
  readonly holding$: Observable<void>;
  readonly look: () => void;
  readonly end: () => void;
};

function createHolds(): Holds {
  const held$ = new Subject<never>();
  const holding$ = new Subject<void>();
  let held = 0;
  return {
    hold$: defer(() => {
      held += 1;
      return held$.pipe(
        finalize(() => {
          held -= 1;
        }),
      );
    }),
    holding$,
    look: () => {
      if (held > 0) holding$.next();
    },
    end: () => held$.error(new LinkError('closed', 'the connection ended')),
  };
}

type Parts = {
  readonly meter: DataMeter;
  readonly tally: Tally;
  readonly requests: Requests;
  readonly holds: Holds;
};

function meteredSession(inner: LinkSession, { meter, tally, requests, holds }: Parts): LinkSession {
  const { make } = requests;
  return {
    ...inner,
    holding$: holds.holding$,
    hello: (hello) =>
      make(() => inner.hello(hello)).pipe(
        tap(() => {
          tally.count();
          tally.settle();
        }),
      ),
    schema: (message) => make(() => inner.schema(message)),
    frame: (meta, bytes) =>
      defer(() => {
        tally.count();
        const cost = bytes.length + BESIDES_BYTES;
        if (cost > meter.roomForFrames() - tally.uncounted()) return holds.hold$;
        const answered = tally.handOver(cost);
        return make(() => {
          if (meta.lane === 'backlog') tally.backlog(bytes.length);
          return inner.frame(meta, bytes);
        }).pipe(finalize(answered));
      }),
    heartbeat: (heartbeat) =>
      make(
        () => inner.heartbeat(heartbeat),
        (why) => {
          if (why !== null) requests.explain();
        },
      ),
    goodbye: (goodbye) => make(() => inner.goodbye(goodbye)),
  };
}
