/**
 * The clients of the telemetry stream, over whatever carries them: each gets what is new at most once every `updateMs`,
 * while it takes what it was sent; one that takes nothing for `stallMs`, or does not answer a ping, is cut off.
 */
import { catchError, exhaustMap, interval, of, tap } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import type { Labels } from '../../../protocol/labels.ts';
import { createLiveSamples, type LiveSamplesOptions } from './live-samples.ts';
import { createPendingSamples, type PendingSamples } from './pending-samples.ts';
import type { StreamFilter } from './stream-filter.ts';

export type StreamPeer = {
  readonly filter: StreamFilter;
  readonly send: (message: string) => void;
  /** Whether everything sent so far has left the process. */
  readonly isFree: () => boolean;
  readonly ping: () => void;
  /** It is no longer served. */
  readonly cut: (reason: CutReason) => void;
};
export type CutReason = 'stalled' | 'silent';

export type StreamHubOptions = Pick<LiveSamplesOptions, 'store' | 'turns' | 'onMissed'> & {
  readonly clock: Pick<Clock, 'precise' | 'scheduler'>;
  readonly labelsOf: (agent: string) => Labels;
  readonly updateMs: number;
  readonly stallMs: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  /** Told of each message: how many samples it has, and how many were skipped before it. */
  readonly onSent: (samples: number, skipped: number) => void;
};

export type StreamHub = {
  readonly join: (peer: StreamPeer) => void;
  readonly leave: (peer: StreamPeer) => void;
  /** The peer has answered a ping. */
  readonly answered: (peer: StreamPeer) => void;
  readonly size: () => number;
  readonly close: () => void;
};

type Served = {
  readonly pending: PendingSamples;
  /** Clock's `precise()`; null: it is free. */
  busySince: number | null;
  pingedAt: number;
  /** Null: it has answered. */
  unansweredSince: number | null;
};

export function createStreamHub(options: StreamHubOptions): StreamHub {
  const { store, turns, clock, labelsOf, updateMs, onSent, onMissed } = options;
  const served = new Map<StreamPeer, Served>();
  const live = createLiveSamples({
    store,
    turns,
    onMissed,
    isWanted: (agent) => {
      if (served.size === 0) return false;
      for (const { filter } of served.keys()) if (filter.wantsAgent(agent, labelsOf)) return true;
      return false;
    },
  });
  const adding = live.samples$.subscribe((sample) => {
    for (const [{ filter }, { pending }] of served)
      if (filter.wantsAgent(sample.agent, labelsOf)) pending.add(sample);
  });
  const tick = () => {
    const now = clock.precise();
    for (const [peer, one] of [...served])
      tickOf(options, peer, one, now, (reason) => {
        served.delete(peer);
        peer.cut(reason);
      });
  };
  const ticking = interval(updateMs, clock.scheduler)
    .pipe(
      exhaustMap(() =>
        // The store cannot say just now: what was to be shown is not.
        live.drain().pipe(
          catchError(() => of(null)),
          tap({ complete: tick }),
        ),
      ),
    )
    .subscribe();
  return {
    join: (peer) => {
      const pending = createPendingSamples(peer.filter, onSent);
      served.set(peer, { pending, busySince: null, pingedAt: clock.precise(), unansweredSince: null });
    },
    leave: (peer) => void served.delete(peer),
    answered: (peer) => {
      const one = served.get(peer);
      if (one !== undefined) one.unansweredSince = null;
    },
    size: () => served.size,
    close: () => {
      ticking.unsubscribe();
      adding.unsubscribe();
      live.close();
    },
  };
}

function tickOf(
  { stallMs, pingIntervalMs, pingTimeoutMs }: StreamHubOptions,
  peer: StreamPeer,
  one: Served,
  now: number,
  cut: (reason: CutReason) => void,
): void {
  if (!peer.isFree()) {
    one.busySince ??= now;
    one.pending.conflate();
    if (now - one.busySince >= stallMs) cut('stalled');
    return;
  }
  one.busySince = null;
  if (one.unansweredSince !== null && now - one.unansweredSince >= pingTimeoutMs) {
    cut('silent');
    return;
  }
  if (one.unansweredSince === null && now - one.pingedAt >= pingIntervalMs) {
    one.pingedAt = now;
    one.unansweredSince = now;
    peer.ping();
  }
  const message = one.pending.take();
  if (message !== null) peer.send(message);
}
