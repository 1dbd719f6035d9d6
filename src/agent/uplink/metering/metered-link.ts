/**
 * A link whose bytes are counted, and that ends and refuses connections when the data budget says so.
 *
 * While nothing but a hello each hour may go, a connection stays until HQ has answered a heartbeat that says why, and nothing else is
 * under way. Without a byte left it ends at once. A frame that would take of what is left for hellos is not sent, and is under way
 * for as long as the connection lasts.
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
  let counted = 0;
  let countedAt = clock.precise();
  /** Bytes of backlog frames that were handed over and not counted yet. */
  let backlog = 0;
  /** What frames of whatever lane cost that were handed over and not counted yet, and of those without an answer: no more than that is not. */
  let uncounted = 0;
  let unanswered = 0;
  const held$ = new Subject<never>();
  let held = 0;
  const holding$ = new Subject<void>();
  /** Connecting and hello are done: what they cost does not go on. */
  let settled = false;
  let underWay = 0;
  let quietTicks = 0;
  /** Whether HQ has answered a heartbeat that says why nothing goes. */
  let explained = false;

  const carried = () =>
    // The session knows of more than its own sockets, such as probes of other ways.
    [...tries.slice(0, -1), session?.traffic ?? tries.at(-1)].reduce((sum, traffic) => {
      const { sent, received } = traffic?.() ?? NOTHING_CARRIED;
      return sum + sent + received;
    }, 0);
  const count = () => {
    const bytes = carried() - counted;
    const ms = clock.precise() - countedAt;
    counted += bytes;
    countedAt += ms;
    const live = Math.max(0, bytes - backlog);
    backlog = Math.max(0, backlog - bytes);
    uncounted = Math.max(0, uncounted - bytes);
    meter.count(settled ? { bytes, live, ms } : { bytes, live: 0, ms: 0 });
  };
  const leave = (why: string): LinkError => {
    meter.explained();
    const error = new LinkError('budget', why, { againMs: meter.againMs() });
    subscriber.error(error);
    return error;
  };
  const request = <T>(make: () => Observable<T>, onAnswer: (why: string | null) => void = () => {}) =>
    defer((): Observable<T> => {
      count();
      const leaving = meter.leaving();
      if (leaving?.now === true) return throwError(() => leave(leaving.why));
      underWay += 1;
      return make().pipe(
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
    });
  const hold$ = defer(() => {
    held += 1;
    return held$.pipe(
      finalize(() => {
        held -= 1;
      }),
    );
  });
  const metered = (inner: LinkSession): LinkSession => ({
    ...inner,
    holding$,
    hello: (hello) =>
      request(() => inner.hello(hello)).pipe(
        tap(() => {
          count();
          settled = true;
        }),
      ),
    schema: (message) => request(() => inner.schema(message)),
    frame: (meta, bytes) =>
      defer(() => {
        count();
        const cost = bytes.length + BESIDES_BYTES;
        if (cost > meter.roomForFrames() - uncounted) return hold$;
        uncounted += cost;
        unanswered += cost;
        return request(() => {
          if (meta.lane === 'backlog') backlog += bytes.length;
          return inner.frame(meta, bytes);
        }).pipe(
          finalize(() => {
            unanswered -= cost;
            uncounted = Math.min(uncounted, unanswered);
          }),
        );
      }),
    heartbeat: (heartbeat) =>
      request(
        () => inner.heartbeat(heartbeat),
        (why) => {
          explained ||= why !== null;
        },
      ),
    goodbye: (goodbye) => request(() => inner.goodbye(goodbye)),
  });
  const look = () => {
    count();
    if (held > 0) holding$.next();
    const leaving = meter.leaving();
    quietTicks = leaving !== null && explained && underWay === 0 ? quietTicks + 1 : 0;
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
      count();
      subscriber.next({ ...event, session: metered(event.session) });
    },
    error: (error: unknown) => {
      count();
      if (session === null) meter.failed(counted);
      subscriber.error(error);
    },
  });
  work.add(interval(TICK_MS, clock.scheduler).subscribe(look));
  return () => {
    count();
    work.unsubscribe();
    held$.error(new LinkError('closed', 'the connection ended'));
  };
}
