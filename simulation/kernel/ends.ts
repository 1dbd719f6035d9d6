/** The two ends of a simulated connection as the product sees them, and copies of what goes between. */
import { Observable, Subject } from 'rxjs';
import type { LinkError, LinkEvent } from '../../src/agent/uplink/link.ts';
import type { Meter } from '../../src/agent/uplink/parsed-session.ts';
import type { AgentPeer, PeerMessage } from '../../src/hq/ingest/core/agent-server.ts';
import type { AgentMessageName } from '../../src/protocol/agent-messages.ts';
import { creditSchema } from '../../src/protocol/events.ts';

export type Waiting = {
  readonly fail: (error: LinkError) => void;
  readonly answer: (reply: unknown) => void;
};
export type AgentSide = {
  readonly opened: (
    ask: (event: AgentMessageName, args: readonly unknown[]) => Observable<unknown>,
    meter: Meter,
  ) => void;
  readonly event: (event: string, payload: unknown) => void;
  readonly fail: (error: LinkError) => void;
};

export function linkEventOf(event: string, payload: unknown): LinkEvent {
  const { message } = payload as { readonly message?: unknown };
  const credit = creditSchema.safeParse(payload);
  if (event === 'credit' && credit.success) return { type: 'credit', ...credit.data };
  if (event === 'conflict' && typeof message === 'string') return { type: 'conflict', message };
  return { type: 'ignored', name: event };
}

export type PeerSide = {
  readonly peer: AgentPeer;
  readonly message: (message: PeerMessage) => void;
  readonly end: (reason: string) => void;
};

export function createPeer(
  address: string,
  credentials: AgentPeer['credentials'],
  wire: {
    readonly toAgent: (event: string, payload: Readonly<Record<string, unknown>>) => void;
    readonly probe: (answer: (value: unknown) => void) => void;
    readonly close: () => void;
    readonly received: () => number;
  },
): PeerSide {
  const messages$ = new Subject<PeerMessage>();
  const ended$ = new Subject<string>();
  return {
    message: (message) => messages$.next(message),
    end: (reason) => {
      ended$.next(reason);
      ended$.complete();
      messages$.complete();
    },
    peer: {
      address,
      credentials,
      messages$,
      faults$: new Subject<string>(),
      ended$,
      sendCredit: (credit) => wire.toAgent('credit', credit),
      sendConflict: (message) => wire.toAgent('conflict', { message }),
      // The agents of a simulation heed their answers.
      setReading: () => {},
      probe: () =>
        new Observable((subscriber) => {
          const gone = ended$.subscribe(() => subscriber.error(new Error('the connection ended')));
          wire.probe((value) => {
            subscriber.next(value);
            subscriber.complete();
          });
          return gone;
        }),
      disconnect: wire.close,
      received: wire.received,
    },
  };
}

/** As the wire would: neither side ever sees the other's objects. */
export function copyOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

export function sizeOf(args: readonly unknown[]): string {
  return args.map((one) => (one instanceof Uint8Array ? `${one.length}B` : '')).join('');
}

export function outcomeOf(reply: unknown): string {
  const { ok, error } = reply as { readonly ok?: unknown; readonly error?: { readonly code?: unknown } };
  return ok === true ? 'ok' : String(error?.code);
}
