/**
 * What came of a write, in the words that all senders share. Each sender maps the answers of its own receiver to these
 * (HQ's wire errors, SQLSTATEs, HTTP statuses), and nothing else here knows any of them.
 */

export type Verdict<R = never> =
  | { readonly kind: 'ok' }
  /** All but these records has been taken. */
  | { readonly kind: 'partial'; readonly poison: readonly Poison<R>[] }
  /** Nothing has been taken for certain; the same write may well succeed later. */
  | {
      readonly kind: 'retry';
      /** A word, for instance `unavailable`. */
      readonly reason: string;
      /** The receiver asks to be left alone so long, ms. */
      readonly afterMs?: number | undefined;
    }
  | ({ readonly kind: 'poison' } & Poison<R>)
  /** No write will succeed until a person has changed something. */
  | { readonly kind: 'misconfigured'; readonly reason: string };

/** Records that the receiver will never take as they are. */
export type Poison<R> = {
  /** `unknown`: it refused the whole write and does not say because of which. */
  readonly records: readonly R[] | 'unknown';
  readonly reason: string;
};

/** What a failed write shows of its receiver, which is what the circuit breaker counts. */
export type ReceiverHealth =
  /** It says itself that it can serve nobody. */
  | 'down'
  /** It left the write without an answer, or gave one that makes no sense. */
  | 'silent'
  /** It is there, whatever it makes of this write. */
  | 'up'
  /** Nothing: the way to it ended. */
  | 'unknown';

/** What a sender makes of the error of a write. */
export type Judgement<R = never> = {
  /** Null: nobody knows what came of it, and it is not repeated over this way to the receiver. */
  readonly verdict: Exclude<Verdict<R>, { readonly kind: 'ok' | 'partial' }> | null;
  readonly health: ReceiverHealth;
};

export type Judge<R = never> = (error: unknown) => Judgement<R>;

export function isFailure(health: ReceiverHealth): boolean {
  return health === 'down' || health === 'silent';
}
