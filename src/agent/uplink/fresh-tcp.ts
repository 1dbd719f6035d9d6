/**
 * A TCP connection over a way that may be back any moment.
 *
 * The kernel repeats a request that nobody answers after 1 s, then 2 s, then 4 s and so on (Linux before 6.5): one that
 * was begun while the way was gone is heard seconds after its return. So another one is begun while none is answered,
 * and the first that is established is taken. The ones before are kept until then, as a way may have become longer than
 * it was.
 */
import type { Socket } from 'node:net';
import { type SchedulerLike, Subscription, timer } from 'rxjs';

export type FreshTcpOptions = {
  /** Begins to connect. */
  readonly open: () => Socket;
  /** Told of each connection at once; destroying all of them ends the attempt. */
  readonly onTcp: (tcp: Socket) => void;
  /** Until another one is begun, ms. */
  readonly againMs: number;
  readonly scheduler: SchedulerLike;
};

/** Calls `done` once: with the first connection that is established, or with the first failure. */
export function openFreshTcp(
  { open, onTcp, againMs, scheduler }: FreshTcpOptions,
  done: (error: Error | null, tcp?: Socket) => void,
): void {
  const begun = new Set<Socket>();
  const waiting = new Subscription();
  let isDone = false;
  const settle = (error: Error | null, taken?: Socket) => {
    if (isDone) return;
    isDone = true;
    waiting.unsubscribe();
    for (const tcp of begun) {
      if (tcp !== taken) tcp.destroy();
    }
    done(error, taken);
  };
  const begin = () => {
    const tcp = open();
    begun.add(tcp);
    onTcp(tcp);
    tcp.on('error', settle);
    tcp.once('close', () => settle(new Error('The connection was given up before it was established.')));
    tcp.once('connect', () => {
      // Whoever gets it hears of its errors from now on.
      if (!isDone) tcp.off('error', settle);
      settle(null, tcp);
    });
    // Not while its name is being resolved: a second question would wait behind the first.
    tcp.once('connectionAttempt', () => waiting.add(timer(againMs, scheduler).subscribe(begin)));
  };
  begin();
}
