/** The server's end of the wire as ingest needs it, in Observables; `socketio-agents.ts` is the real one. */
import type { Observable } from 'rxjs';
import type { Credit, WireError } from '../../../protocol/events.ts';
import type { AccessRequest } from '../../access.ts';

/** What a client sent: nothing of it has been looked at. */
export type PeerMessage = {
  readonly event: unknown;
  /** As they came; the ack callback is the last one, where the client asked for an ack. */
  readonly args: readonly unknown[];
};

/** One admitted connection of an agent. */
export type AgentPeer = {
  readonly address: string;
  /** With what it was admitted, to be looked at again. */
  readonly credentials: AccessRequest;
  readonly messages$: Observable<PeerMessage>;
  /** Emits what is wrong with what came, where the transport notices it before anybody else. */
  readonly faults$: Observable<string>;
  /** Emits the reason once, when the connection has ended. */
  readonly ended$: Observable<string>;
  readonly sendCredit: (credit: Credit) => void;
  readonly sendConflict: (message: string) => void;
  /** While false nothing more is read, so that the client's own machine makes it wait. */
  readonly setReading: (reading: boolean) => void;
  /** Emits when the client has answered; errors when its connection ends or it does not know the event. */
  readonly probe: () => Observable<unknown>;
  readonly disconnect: () => void;
  /** Bytes that have arrived, also of what is not here whole; smaller than before: those of another TCP connection. */
  readonly received: () => number;
};

/** Emits once, and does not fail: why a connection may not come in; null lets it in. */
export type Admit = (credentials: AccessRequest, address: string) => Observable<WireError | null>;

export type AgentServer = {
  /** Admits and serves connections while subscribed; ends all of them when unsubscribed. */
  readonly serve: (admit: Admit) => Observable<AgentPeer>;
};
