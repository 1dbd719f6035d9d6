/**
 * Reads of the storage for requests: they wait for their turn, have a deadline, and end with the connection of the
 * client who asked.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  finalize,
  firstValueFrom,
  Observable,
  switchMap,
  takeUntil,
  throwError,
  throwIfEmpty,
  timeout,
} from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import type { Emit } from '../../../platform/telemetry.ts';
import type { HqConfig } from '../../config.ts';
import { Problem } from '../../http/problem.ts';
import { networkOf } from '../../network-of.ts';
import type { GatewayEvents } from '../gateway-events.ts';
import { createReadGate } from './read-gate.ts';

/** As many as the store works on in turns: who has been let in is worked on at once. */
const MAX_ACTIVE = 4;

/** What a page of samples takes in memory, bytes, with its text of some 4 MiB. */
export const SAMPLE_PAGE_BYTES = 16 * 1024 * 1024;

/** Who asks, and through what the answer goes. */
export type Exchange = { readonly request: FastifyRequest; readonly reply: FastifyReply };

export type Reads = {
  /**
   * Runs `work` when it is its turn, and resolves with what it emits. What is read counts as held, `bytes` of it, until
   * the answer is sent. Rejects with a Problem at the deadline, and when the client has gone; `work` is unsubscribed
   * then.
   */
  readonly run: <T>(exchange: Exchange, bytes: number, work: () => Observable<T>) => Promise<T>;
};

export type ReadsOptions = {
  readonly limits: Pick<HqConfig['limits'], 'readTimeoutMs' | 'readBytesAtOnce'>;
  readonly clock: Pick<Clock, 'scheduler'>;
  readonly emit: Emit<GatewayEvents>;
};

export function createReads({ limits, clock, emit }: ReadsOptions): Reads {
  const { readTimeoutMs, readBytesAtOnce: maxBytes } = limits;
  const gate = createReadGate({
    maxActive: MAX_ACTIVE,
    maxBytes,
    onChange: (state) => emit({ type: 'reads', ...state }),
  });
  const tooSlow = () =>
    throwError(() => {
      emit({ type: 'read_given_up', reason: 'deadline' });
      return new Problem(
        'too_slow',
        `HQ gave up after ${readTimeoutMs} ms (limits.readTimeoutMs): ask for a shorter range, fewer series or a longer step, or come back when less is asked of it`,
      );
    });
  const isGone = () => {
    emit({ type: 'read_given_up', reason: 'client' });
    return new Problem('bad_request', 'the client has gone before the answer was there');
  };
  return {
    run: ({ request, reply }, bytes, work) =>
      firstValueFrom(
        gate.enter({ client: networkOf(request.ip), bytes }).pipe(
          switchMap((ticket) => {
            reply.raw.once('close', ticket.release);
            if (reply.raw.destroyed) ticket.release();
            return work().pipe(finalize(ticket.worked));
          }),
          timeout({ first: readTimeoutMs, scheduler: clock.scheduler, with: tooSlow }),
          takeUntil(clientGone(reply)),
          throwIfEmpty(isGone),
        ),
      ),
  };
}

/** Emits when the connection ends before the answer is sent. */
function clientGone({ raw }: FastifyReply): Observable<void> {
  return new Observable((subscriber) => {
    const onClose = () => {
      if (!raw.writableFinished) subscriber.next();
    };
    raw.once('close', onClose);
    if (raw.destroyed) onClose();
    return () => raw.off('close', onClose);
  });
}
