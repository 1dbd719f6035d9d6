/** Carries out what the uplink's logic wants done. The one place where it meets link, journal, time and chance. */
import { concat, concatMap, EMPTY, from, map, type Observable, of, timer } from 'rxjs';
import { type ConnectionOptions, createConnections } from './connections.ts';
import { bisect, createJournalEffects } from './journal-effects.ts';
import type { UplinkEffect, UplinkMessage } from './state.ts';

/** At a stop, for everything that is still to be said; and when HQ takes nothing anyway, ms. */
const LEAVE_MS = 8_000;
const LEAVE_PAUSED_MS = 1_000;
/** They have nothing sent. */
const MEASURES: ReadonlySet<UplinkMessage['type']> = new Set(['confirmed', 'clocks_read']);

export function createUplinkEffects(
  options: ConnectionOptions,
): (effect: UplinkEffect) => Observable<UplinkMessage> {
  const { reliability, clock, emit, gauge } = options;
  const { scheduler } = clock;
  const connections = createConnections(options);
  const journal = createJournalEffects(options);

  /** Whatever may have something sent is preceded by what the link can take now. */
  const knowing = (messages: Observable<UplinkMessage>): Observable<UplinkMessage> =>
    messages.pipe(
      concatMap((message) =>
        from<UplinkMessage[]>(
          MEASURES.has(message.type) ? [message] : [{ type: 'window', window: gauge.window() }, message],
        ),
      ),
    );
  const after = (ms: number, message: UplinkMessage): Observable<UplinkMessage> =>
    timer(ms, scheduler).pipe(map(() => message));

  return (effect) => {
    switch (effect.type) {
      case 'wait':
        return after(effect.ms, { type: 'retry', connection: effect.connection });
      case 'connect':
        return connections.connect(effect.connection);
      case 'disconnect':
        connections.disconnect();
        return EMPTY;
      case 'sayHello':
        return connections.sayHello(effect.connection).pipe(knowing);
      case 'try_breaker':
        reliability.breaker.recoveryHint();
        return EMPTY;
      case 'hq_storing':
        reliability.receiverReady(effect.storing);
        return EMPTY;
      case 'fail':
        return of(connections.lost(effect.connection, effect.error));
      case 'read':
        return journal.read(effect).pipe(knowing);
      case 'deliver':
        return connections.deliver(effect).pipe(knowing);
      case 'linger':
      case 'pause':
        return after(effect.ms, { type: `${effect.type}_over`, connection: effect.connection }).pipe(knowing);
      case 'release':
        return journal.release(effect);
      case 'compact':
        return journal.compact(effect);
      case 'bisect':
        return of(bisect(effect.suspected));
      case 'reject':
        return journal.reject(effect);
      case 'farewell':
        return concat(
          connections.farewell(),
          of<UplinkMessage>({ type: 'left', connection: effect.connection }),
        );
      case 'leave_deadline': {
        const ms = reliability.paused() === null ? LEAVE_MS : LEAVE_PAUSED_MS;
        return after(ms, { type: 'left', connection: effect.connection });
      }
      case 'log_down':
        emit({ type: 'link_down', kind: effect.kind, detail: effect.detail, retryMs: effect.retryMs });
        return EMPTY;
      case 'log_up':
        emit({ type: 'link_up', after: effect.after });
        return EMPTY;
    }
  };
}
